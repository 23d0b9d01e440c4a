"""The noisy, unfinished variant of `mlp.py`: three tenths of the labels are drawn anew, and training ends after three epochs."""

import numpy as np

from images import write_subset
from mlp import BATCH, CONFIG, EXAMPLES, FISHER, FLOOR, LEARNING_RATE, MEASUREMENT, OPTIMIZER, QUERIES, make_model
from mlp import example_losses, export, fisher_losses, measurement, read_examples, sites

__all__ = ["BATCH", "CONFIG", "FISHER", "FLOOR", "LEARNING_RATE", "MEASUREMENT", "OPTIMIZER", "make_model"]
__all__ += ["example_losses", "export", "fisher_losses", "measurement", "read_examples", "sites"]

NAME = "noisy"
EPOCHS = 3
NOISE = 0.3


def redraw(images, labels):
    rng = np.random.default_rng(1)
    drawn = rng.random(len(labels)) < NOISE
    return images, np.where(drawn, rng.integers(0, 10, len(labels)), labels)


def write_examples(folder, source):
    rng = np.random.default_rng(0)
    write_subset(folder, "train", source / "train", rng, EXAMPLES, redraw)
    write_subset(folder, "test", source / "t10k", rng, QUERIES)
