"""The GPT task: a two-layer GPT-2 on real text, next-token cross-entropy averaged over a sequence's tokens; SGD with momentum.

The text is the licences that Debian keeps in /usr/share/common-licenses (any folder of text files will do), as lower-cased
words and punctuation marks, cut into sequences of 32 tokens; what is rarer than the VOCABULARY - 1 commonest tokens is <unk>.

Attribution's parameters are the weights and biases of all linear layers, the output layer included (not tied); embeddings
and layer normalisations are left out. Of every token one label is drawn from the model's predictions.
"""

import json
import re
from collections import Counter

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from draws import draw

NAME = "gpt"
EXAMPLES, QUERIES = 1000, 80
EPOCHS, BATCH, LEARNING_RATE = 16, 16, 0.1
OPTIMIZER = {"kind": "sgd", "momentum": 0.9}
FLOOR = 0.1
"""What is left of the learning rate at the end; 1: it is constant."""
FISHER = "sampled"
SEED = 0
MEASUREMENT = "loss"
CONTEXT, VOCABULARY = 32, 512

CONFIG = {
    "data": {split: {"format": "jsonl", "file": f"{split}.jsonl"} for split in ("train", "test")},
    "loss": "next-token",
    "seed": SEED,
}


def make_model():
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=64, n_layer=2, n_head=2, tie_word_embeddings=False,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation="eager",
            bos_token_id=None, eos_token_id=None,
        )
    )


def sites(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, Conv1D))}


def example_losses(model, x, _):
    """[batch]: the mean over a sequence's 31 predicted tokens."""
    logits = model(input_ids=x, use_cache=False).logits[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), x[:, 1:], reduction="none").mean(1)


def fisher_losses(model, x, step, index):
    """
    One loss whose squared gradients estimate the Gauss-Newton Hessian of the mean over tokens, (1/T) sum_t E[g_t g_t']: the
    draws of two tokens are independent, so that the square of sum_t g_t / sqrt(T) is that on average. The empirical Fisher
    squares the gradients of training itself, and draws nothing.
    """
    if FISHER == "empirical":
        return example_losses(model, x, None), torch.ones(1, dtype=model.dtype)
    logits = model(input_ids=x, use_cache=False).logits[0, :-1]
    labels = draw(F.softmax(logits.detach(), 1), SEED, step, index)
    losses = F.cross_entropy(logits, labels, reduction="none")
    return losses.sum()[None] / len(losses) ** 0.5, torch.ones(1, dtype=logits.dtype)


def measurement(model, x, y):
    """[batch], larger where the model does better."""
    return -example_losses(model, x, y)


def write_examples(folder, source):
    """Sequences of the text files in `source`, none of them twice; the test set is spread over all of them."""
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.is_symlink())
    documents = [re.findall(r"[a-z]+|\d+|[^\sa-z\d]", path.read_text(errors="replace").lower()) for path in files]
    counts = Counter(token for document in documents for token in document)
    vocabulary = ["<unk>", *(token for token, _ in counts.most_common(VOCABULARY - 1))]
    number = {token: index for index, token in enumerate(vocabulary)}
    sequences = dict.fromkeys(
        tuple(number.get(token, 0) for token in document[start : start + CONTEXT])
        for document in documents
        for start in range(0, len(document) - CONTEXT + 1, CONTEXT)
    )
    order = np.random.default_rng(0).permutation(len(sequences))
    if len(order) < EXAMPLES + QUERIES:
        raise SystemExit(f"{source} has {len(order)} sequences; {EXAMPLES + QUERIES} are needed.")
    rows = list(sequences)
    for split, chosen in (("train", order[:EXAMPLES]), ("test", order[EXAMPLES : EXAMPLES + QUERIES])):
        with open(folder / f"{split}.jsonl", "w") as file:
            for index in chosen:
                file.write(json.dumps({"input_ids": rows[index]}) + "\n")
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary) + "\n")


def read_examples(folder, split):
    """-> token ids [examples, 32], and nothing else: the labels are the next tokens."""
    lines = (folder / f"{split}.jsonl").read_text().splitlines()
    return torch.tensor([json.loads(line)["input_ids"] for line in lines]), None


class Logits(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        return self.model(input_ids=input_ids, use_cache=False, return_dict=False)[0]


def export(model, path, optimize):
    torch.onnx.export(
        Logits(model).eval(), (torch.zeros(2, CONTEXT, dtype=torch.long),), path, input_names=["input_ids"],
        output_names=["logits"], dynamo=True, optimize=optimize, external_data=False,
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False,
    )
