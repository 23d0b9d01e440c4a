"""Makes data/ and flipped-labels.csv from the four files of the full FashionMNIST.

    python make_data.py FOLDER_OF_THE_FULL_SET

Keeps 5,000 training and 1,000 test images and gives 2 % of the kept training images a wrong label, so that there is
something to find. The wrong ones are listed in flipped-labels.csv (index, given, true), for checking afterwards.
"""

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CLASSES = 10


def read_idx(path):
    """An IDX file of unsigned bytes: two zero bytes, type 8, the rank, the dimensions (big-endian), the values."""
    with gzip.open(path) as file:
        content = file.read()
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("full_set", type=Path, help="folder with the four *-ubyte.gz files of the full set")
    parser.add_argument("--train", type=int, default=5000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--flipped", type=float, default=0.02, help="share of the training labels to flip")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    random = np.random.default_rng(args.seed)
    target = HERE / "data" / "FashionMNIST" / "raw"
    target.mkdir(parents=True, exist_ok=True)
    labels = {}
    for split, count in (("train", args.train), ("t10k", args.test)):
        images = read_idx(args.full_set / f"{split}-images-idx3-ubyte.gz")
        kept = np.sort(random.permutation(len(images))[:count])
        labels[split] = read_idx(args.full_set / f"{split}-labels-idx1-ubyte.gz")[kept]
        write_idx(target / f"{split}-images-idx3-ubyte.gz", images[kept])

    true = labels["train"]
    flipped = np.sort(random.permutation(len(true))[: round(args.flipped * len(true))])
    given = true.copy()
    given[flipped] = (true[flipped] + random.integers(1, CLASSES, len(flipped))) % CLASSES
    write_idx(target / "train-labels-idx1-ubyte.gz", given)
    write_idx(target / "t10k-labels-idx1-ubyte.gz", labels["t10k"])
    with open(HERE / "flipped-labels.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["index", "given", "true"])
        writer.writerows([i, given[i], true[i]] for i in flipped)


if __name__ == "__main__":
    main()
