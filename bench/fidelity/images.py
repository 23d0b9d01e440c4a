"""FashionMNIST's IDX files: seeded subsets of the full set, written and read."""

import gzip

import numpy as np
import torch

MEAN, STD = 0.2860, 0.3530

PREPROCESS = {"scale": 1 / 255, "mean": MEAN, "std": STD}


def split_config(split):
    """How whence.json names a split's files."""
    return {"format": "idx", "images": f"{split}-images-idx3-ubyte.gz", "labels": f"{split}-labels-idx1-ubyte.gz"}


def write_subset(folder, split, files, rng, count, change=lambda images, labels: (images, labels)):
    """`count` examples that `rng` draws of the full set's files (`files`-images-idx3-ubyte.gz, ...), changed, as IDX."""
    images = read_idx(f"{files}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    labels = read_idx(f"{files}-labels-idx1-ubyte.gz", 8)[:, 0]
    chosen = rng.permutation(len(labels))[:count]
    images, labels = change(images[chosen], labels[chosen])
    for kind, head, values in (("images-idx3", (0x803, count, 28, 28), images), ("labels-idx1", (0x801, count), labels)):
        with gzip.GzipFile(folder / f"{split}-{kind}-ubyte.gz", "wb", mtime=0) as file:
            file.write(np.array(head, ">u4").tobytes() + np.ascontiguousarray(values, np.uint8).tobytes())


def read_idx(path, header):
    """[examples, values an example]"""
    with gzip.open(path) as file:
        content = file.read()
    return np.frombuffer(content, np.uint8, offset=header).reshape(int.from_bytes(content[4:8], "big"), -1)


def read_split(folder, split):
    """-> images [examples, 1, 28, 28] as the network takes them, labels [examples]"""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz", 8)[:, 0]
    return (torch.from_numpy(images.astype(np.float32)) / 255 - MEAN) / STD, torch.from_numpy(labels.astype(np.int64))
