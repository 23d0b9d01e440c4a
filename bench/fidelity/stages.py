"""Two stages, one after the other: upright FashionMNIST images, then fewer that lie on their side; the MLP of `mlp.py`.

Half of the queries stand upright and half lie. Stage 2 forgets some of what stage 1 taught.
"""

import numpy as np

from images import PREPROCESS, read_split as read_examples, split_config, write_subset
from mlp import FISHER, FLOOR, MEASUREMENT, OPTIMIZER, example_losses, export, fisher_losses, make_model, measurement, sites

__all__ = ["FISHER", "FLOOR", "MEASUREMENT", "OPTIMIZER", "example_losses", "export", "fisher_losses", "make_model"]
__all__ += ["measurement", "read_examples", "sites"]

NAME = "stages"
BATCH = 64
EXAMPLES, QUERIES = 4096, 100
STAGES = ({"split": "upright", "epochs": 10, "learningRate": 0.03}, {"split": "lying", "epochs": 4, "learningRate": 0.003})
SIZES = {"upright": 3072, "lying": 1024}
CONFIG = {"data": {split: split_config(split) for split in ("upright", "lying", "test")}, "preprocess": PREPROCESS}


def lay(images, labels):
    return np.rot90(images, axes=(1, 2)), labels


def lay_half(images, labels):
    half = len(images) // 2
    return np.concatenate([images[:half], np.rot90(images[half:], axes=(1, 2))]), labels


def write_examples(folder, source):
    rng = np.random.default_rng(0)
    write_subset(folder, "upright", source / "train", rng, SIZES["upright"])
    write_subset(folder, "lying", source / "train", rng, SIZES["lying"], lay)
    write_subset(folder, "test", source / "t10k", rng, QUERIES, lay_half)
