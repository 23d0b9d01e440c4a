"""Regression on real measurements: scikit-learn's diabetes table, 10 columns; an MLP, squared error, SGD with momentum."""

import csv

import numpy as np
import torch
from torch import nn

from classifier import sites

__all__ = ["sites"]

NAME = "regression"
EXAMPLES, QUERIES = 342, 100
EPOCHS, BATCH, LEARNING_RATE, FLOOR = 20, 32, 0.03, 1
OPTIMIZER = {"kind": "sgd", "momentum": 0.9, "weightDecay": 0.00001}
FISHER = "exact"
MEASUREMENT = "loss"
CONFIG = {
    "data": {split: {"format": "csv", "file": f"{split}.csv", "label": "target"} for split in ("train", "test")},
    "loss": "squared-error",
}


def make_model():
    return nn.Sequential(
        nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1)
    )


def example_losses(model, x, y):
    """[batch]"""
    return (model(x)[:, 0] - y) ** 2


def fisher_losses(model, x, step, index):
    """The Gauss-Newton Hessian of (f - y)^2 is 2 f' f'^T: the square of the gradient of sqrt(2) f."""
    return 2**0.5 * model(x)[:, 0], torch.ones(1, dtype=x.dtype)


def measurement(model, x, y):
    """[batch], larger where the model does better."""
    return -example_losses(model, x, y)


def write_examples(folder, _):
    """Columns and target standardised by the training rows; a seeded split."""
    from sklearn.datasets import load_diabetes

    table = load_diabetes(scaled=False)
    rows = np.c_[table.data, table.target][np.random.default_rng(0).permutation(len(table.target))]
    parts = {"train": rows[:EXAMPLES], "test": rows[EXAMPLES : EXAMPLES + QUERIES]}
    mean, std = parts["train"].mean(0), parts["train"].std(0)
    for split, part in parts.items():
        with open(folder / f"{split}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow((*table.feature_names, "target"))
            writer.writerows([[f"{value:.8f}" for value in row] for row in (part - mean) / std])


def read_examples(folder, split):
    rows = np.loadtxt(folder / f"{split}.csv", delimiter=",", skiprows=1)
    return torch.from_numpy(rows[:, :-1].astype(np.float32)), torch.from_numpy(rows[:, -1].astype(np.float32))


def export(model, path, optimize):
    torch.onnx.export(
        model, (torch.zeros(2, 10),), path, input_names=["x"], output_names=["prediction"], dynamo=True,
        optimize=optimize, external_data=False, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False,
    )
