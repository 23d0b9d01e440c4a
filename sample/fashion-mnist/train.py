"""Trains a small MLP on FashionMNIST and saves checkpoints along the way.

Reads data/, writes checkpoints/step-*.safetensors, training-log.csv and model.onnx.
"""

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
MEAN, STD = 0.2860, 0.3530  # of the full training set's pixels, scaled to 0..1


def load(folder, split):
    """Images as [count, 784], normalised, and labels as [count]."""
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28 * 28)
    with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    x = (images.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64))


def make_model():
    return nn.Sequential(
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, len(CLASSES)),
    )


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE / "data" / "FashionMNIST" / "raw")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--checkpoints", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subset", type=Path, help="a file with the numbers of the images to train on, from 0, one a line")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x, y = load(args.data, "train")
    if args.subset:
        chosen = torch.from_numpy(np.loadtxt(args.subset, dtype=np.int64, ndmin=1))
        x, y = x[chosen], y[chosen]
    test_x, test_y = load(args.data, "t10k")
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate, momentum=args.momentum)

    batches = -(-len(x) // args.batch_size)
    steps = batches * args.epochs
    save_at = {round(steps * (i + 1) / args.checkpoints) for i in range(args.checkpoints)}
    (args.out / "checkpoints").mkdir(parents=True, exist_ok=True)

    step = 0
    log = []
    for epoch in range(args.epochs):
        for batch in torch.randperm(len(x)).split(args.batch_size):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            log.append((step, args.learning_rate, f"{loss.item():.6f}"))
            if step in save_at:
                save_file(model.state_dict(), args.out / "checkpoints" / f"step-{step}.safetensors")
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}  test accuracy {accuracy(model, test_x, test_y):.3f}")

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
