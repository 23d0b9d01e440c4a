"""The networks that the bench races on: a CNN with BatchNorm, a ViT and a GPT-2, small as on a laptop.

    python networks.py FOLDER NETWORK [--batch 64]

writes FOLDER/NETWORK.onnx as PyTorch's exporter makes it with the batch left open, and FOLDER/NETWORK.safetensors: one
batch of random examples `inputs` and `labels` (of the GPT: the next words, -100 after the last).
"""

import argparse
import contextlib
import io
import logging
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

IMAGE = (3, 32, 32)
CLASSES, WORDS, TOKENS = 10, 1000, 64


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, padding=1)
        self.b1 = nn.BatchNorm2d(16)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(32)
        self.c3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc = nn.Linear(64 * 4 * 4, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.b1(self.c1(x))), 2)
        x = F.max_pool2d(F.relu(self.b2(self.c2(x))), 2)
        return self.fc(F.max_pool2d(F.relu(self.c3(x)), 2).flatten(1))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import ViTConfig, ViTForImageClassification

        self.model = ViTForImageClassification(ViTConfig(
            image_size=32, patch_size=8, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=256, num_labels=CLASSES,
        ))  # fmt: skip

    def forward(self, x):
        return self.model(pixel_values=x, return_dict=False)[0]


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel

        self.model = GPT2LMHeadModel(GPT2Config(
            vocab_size=WORDS, n_positions=TOKENS, n_embd=128, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0,
        ))  # fmt: skip

    def forward(self, x):
        return self.model(input_ids=x, use_cache=False, return_dict=False)[0]


NETWORKS = {"cnn": Convolutional, "vit": Vit, "gpt2": Gpt}


def make(name):
    """The network in eval mode: the same weights in every process, none of them 0 or 1 as in a fresh model."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
    return network.requires_grad_(False)


def examples(name, batch):
    """-> inputs and labels."""
    generator = torch.Generator().manual_seed(1)
    if name == "gpt2":
        words = torch.randint(0, WORDS, (batch, TOKENS), generator=generator)
        return words, torch.cat([words[:, 1:], torch.full((batch, 1), -100)], 1)
    return torch.randn(batch, *IMAGE, generator=generator), torch.randint(0, CLASSES, (batch,), generator=generator)


def main():
    from safetensors.torch import save_file

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    inputs, labels = examples(args.network, args.batch)
    # The exporter talks; standard output is the bench's.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            make(args.network), (inputs,), args.folder / f"{args.network}.onnx", input_names=["x"],
            output_names=["logits"], dynamo=True, optimize=False, external_data=False,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        )  # fmt: skip
    save_file({"inputs": inputs, "labels": labels}, args.folder / f"{args.network}.safetensors")


if __name__ == "__main__":
    main()
