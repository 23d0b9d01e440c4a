"""Trains a small MLP on the breast cancer table and saves checkpoints along the way.

Reads data/, writes checkpoints/step-*.safetensors, training-log.csv and model.onnx.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
CLASSES = ["malignant", "benign"]


def load(path):
    """Features as [rows, 30], as they stand in the file, and labels as [rows]."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([row[:-1] for row in rows], float), np.array([CLASSES.index(row[-1]) for row in rows])


def make_model():
    return nn.Sequential(
        nn.Linear(30, 32),
        nn.ReLU(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, len(CLASSES)),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE / "data")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.02, help="at the start; falls to 0 along a cosine")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--checkpoints", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subset", type=Path, help="a file with the numbers of the rows to train on, from 0, one a line")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_features, train_labels = load(args.data / "train.csv")
    test_features, test_labels = load(args.data / "test.csv")
    mean, std = train_features.mean(0), train_features.std(0)
    x = torch.from_numpy(((train_features - mean) / std).astype(np.float32))
    test_x = torch.from_numpy(((test_features - mean) / std).astype(np.float32))
    y, test_y = torch.from_numpy(train_labels), torch.from_numpy(test_labels)
    if args.subset:
        chosen = torch.from_numpy(np.loadtxt(args.subset, dtype=np.int64, ndmin=1))
        x, y = x[chosen], y[chosen]

    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate, momentum=args.momentum)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.steps)
    save_at = {round(args.steps * (i + 1) / args.checkpoints) for i in range(args.checkpoints)}
    (args.out / "checkpoints").mkdir(parents=True, exist_ok=True)

    log = []
    batches = []
    for step in range(1, args.steps + 1):
        if not batches:
            batches = list(torch.randperm(len(x)).split(args.batch_size))
        batch = batches.pop()
        loss = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.append((step, f"{schedule.get_last_lr()[0]:.8g}", f"{loss.item():.6f}"))
        schedule.step()
        if step in save_at:
            save_file(model.state_dict(), args.out / "checkpoints" / f"step-{step}.safetensors")
            with torch.no_grad():
                wrong = (model(test_x).argmax(1) != test_y).sum().item()
            print(f"step {step:3d}  loss {loss.item():.3f}  wrong test rows {wrong} of {len(test_y)}")

    with open(args.out / "training-log.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "learning_rate", "loss"])
        writer.writerows(log)

    torch.onnx.export(
        model.eval(),
        (x[:2],),
        args.out / "model.onnx",
        input_names=["x"],
        output_names=["logits"],
        dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )


if __name__ == "__main__":
    main()
