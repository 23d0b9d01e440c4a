"""Makes data/train.csv and data/test.csv from scikit-learn's breast cancer table.

Features are written as measured, without scaling; the last column names the diagnosis.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

HERE = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--test", type=int, default=143, help="rows kept for testing")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    table = load_breast_cancer()
    order = np.random.default_rng(args.seed).permutation(len(table.data))
    (HERE / "data").mkdir(exist_ok=True)
    for split, rows in (("test", order[: args.test]), ("train", order[args.test :])):
        with open(HERE / "data" / f"{split}.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*table.feature_names, "label"])
            writer.writerows([*table.data[row].tolist(), table.target_names[table.target[row]]] for row in rows)


if __name__ == "__main__":
    main()
