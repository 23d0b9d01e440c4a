"""The MLP task, with the settings of the SOURCE paper for FashionMNIST: 784-512-256-128-10, 6,144 images, SGD with momentum."""

import numpy as np
from torch import nn

from classifier import example_losses, export, fisher_losses, measurement, sites
from images import PREPROCESS, read_split as read_examples, split_config, write_subset

__all__ = ["example_losses", "export", "fisher_losses", "measurement", "read_examples", "sites"]

NAME = "mlp"
EXAMPLES, QUERIES = 6144, 100
EPOCHS, BATCH, LEARNING_RATE, FLOOR = 20, 64, 0.03, 1
OPTIMIZER = {"kind": "sgd", "momentum": 0.9, "weightDecay": 0.001}
FISHER = "exact"
MEASUREMENT = "margin"
CONFIG = {"data": {split: split_config(split) for split in ("train", "test")}, "preprocess": PREPROCESS}


def make_model():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
        nn.Linear(128, 10),
    )


def write_examples(folder, source):
    rng = np.random.default_rng(0)
    write_subset(folder, "train", source / "train", rng, EXAMPLES)
    write_subset(folder, "test", source / "t10k", rng, QUERIES)
