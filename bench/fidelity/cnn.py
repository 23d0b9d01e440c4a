"""The CNN task: FashionMNIST, three convolutions with BatchNorm2d and max pooling, Linear layers; SGD with momentum.

Attribution sees the network in evaluation mode, with its running statistics as constants; its parameters are the weights of
the convolutions (which have no bias: BatchNorm would take it away) and the weights and biases of the Linear layers.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from classifier import example_losses, export, fisher_losses, measurement, sites
from images import PREPROCESS, read_split as read_examples, split_config, write_subset

__all__ = ["example_losses", "export", "fisher_losses", "measurement", "read_examples", "sites"]

NAME = "cnn"
EXAMPLES, QUERIES = 1600, 80
EPOCHS, BATCH, LEARNING_RATE = 8, 32, 0.02
OPTIMIZER = {"kind": "sgd", "momentum": 0.9}
FLOOR = 0.1
"""What is left of the learning rate at the end; 1: it is constant."""
HIDDEN = 0
"""Width of the Linear layer before the last; 0: there is none."""
FISHER = "exact"
MEASUREMENT = "margin"
CONFIG = {"data": {split: split_config(split) for split in ("train", "test")}, "preprocess": PREPROCESS}


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


def write_examples(folder, source):
    rng = np.random.default_rng(0)
    write_subset(folder, "train", source / "train", rng, EXAMPLES)
    write_subset(folder, "test", source / "t10k", rng, QUERIES)
