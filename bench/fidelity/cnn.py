"""The CNN task: FashionMNIST, three convolutions with BatchNorm2d and max pooling, Linear layers; SGD with momentum.

Attribution sees the network in evaluation mode, with its running statistics as constants; its parameters are the weights of
the convolutions (which have no bias: BatchNorm would take it away) and the weights and biases of the Linear layers.
"""

import gzip

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

NAME = "cnn"
EXAMPLES, QUERIES = 1600, 80
EPOCHS, BATCH, LEARNING_RATE, MOMENTUM = 8, 32, 0.02, 0.9
FLOOR = 0.1
"""What is left of the learning rate at the end; 1: it is constant."""
HIDDEN = 0
"""Width of the Linear layer before the last; 0: there is none."""
FISHER = "exact"
MEASUREMENT = "margin"
MEAN, STD = 0.2860, 0.3530

CONFIG = {
    "data": {
        "train": {"format": "idx", "images": "train-images-idx3-ubyte.gz", "labels": "train-labels-idx1-ubyte.gz"},
        "test": {"format": "idx", "images": "test-images-idx3-ubyte.gz", "labels": "test-labels-idx1-ubyte.gz"},
    },
    "preprocess": {"scale": 1 / 255, "mean": MEAN, "std": STD},
}


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(32)
        width = 32 * 3 * 3
        self.hidden = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU()) if HIDDEN else nn.Identity()
        self.head = nn.Linear(HIDDEN or width, 10)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(torch.relu(self.norm2(self.conv2(x))), 2)
        x = F.max_pool2d(torch.relu(self.norm3(self.conv3(x))), 2)
        return self.head(self.hidden(x.flatten(1)))


def make_model():
    return Cnn()


def sites(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}


def example_losses(model, x, y):
    """[batch]"""
    return F.cross_entropy(model(x), y, reduction="none")


def fisher_losses(model, x, step, index):
    """One loss a class, each for a copy of the single example `x`, with the probability of that class: nothing is drawn."""
    classes = torch.arange(10)
    logits = model(x.expand(10, *x.shape[1:]))
    return F.cross_entropy(logits, classes, reduction="none"), F.softmax(logits[0].detach(), 0)


def measurement(model, x, y):
    """[batch], larger where the model does better: the label's logit less the logsumexp of the others."""
    logits = model(x)
    label = F.one_hot(y, logits.shape[1]).bool()
    return logits[label] - logits.masked_fill(label, -torch.inf).logsumexp(1)


def write_examples(folder, source):
    """Seeded subsets of the full set's IDX files (`source`), as IDX."""
    rng = np.random.default_rng(0)
    for split, prefix, count in (("train", "train", EXAMPLES), ("test", "t10k", QUERIES)):
        chosen = None
        for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
            with gzip.open(source / f"{prefix}-{kind}-ubyte.gz") as file:
                content = file.read()
            total = int.from_bytes(content[4:8], "big")
            rows = np.frombuffer(content, np.uint8, offset=header).reshape(total, -1)
            chosen = rng.permutation(total)[:count] if chosen is None else chosen
            head = content[:4] + count.to_bytes(4, "big") + content[8:header]
            with gzip.GzipFile(folder / f"{split}-{kind}-ubyte.gz", "wb", mtime=0) as file:
                file.write(head + rows[chosen].tobytes())


def read_examples(folder, split):
    """-> images [examples, 1, 28, 28], labels [examples]"""
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    x = (torch.from_numpy(images.astype(np.float32)) / 255 - MEAN) / STD
    return x, torch.from_numpy(labels.astype(np.int64))


def export(model, path, optimize):
    torch.onnx.export(
        model, (torch.zeros(2, 1, 28, 28),), path, input_names=["x"], output_names=["logits"], dynamo=True,
        optimize=optimize, external_data=False, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False,
    )
