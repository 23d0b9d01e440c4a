"""Training that both tasks share: SGD with momentum, a learning rate that falls along a cosine."""

import csv
import json
import math

import torch
from safetensors.torch import load_file, save_file

CHECKPOINTS = 6


def learning_rates(task, steps):
    """The rate of every update."""
    falls = (1 - task.FLOOR) / 2
    return [task.LEARNING_RATE * (1 - falls + falls * math.cos(math.pi * step / steps)) for step in range(steps)]


def checkpoint_steps(rates):
    """Steps that cut the total learning rate into equal parts."""
    total, sums = sum(rates), []
    for rate in rates:
        sums.append((sums[-1] if sums else 0.0) + rate)
    return [
        min(range(len(sums)), key=lambda step: abs(sums[step] - total * (part + 1) / CHECKPOINTS)) + 1
        for part in range(CHECKPOINTS)
    ]


def train(task, x, y, seed, at_step=lambda step, rate, loss, model: None):
    """Trains on all of x, y; the seed is that of the initial weights and the order. -> the model in evaluation mode"""
    torch.manual_seed(seed)
    model = task.make_model().train()
    order = torch.Generator().manual_seed(seed + 1_000_000)
    batches = math.ceil(len(x) / task.BATCH)
    rates = learning_rates(task, task.EPOCHS * batches)
    optimizer = torch.optim.SGD(model.parameters(), lr=rates[0], momentum=task.MOMENTUM)
    for epoch in range(task.EPOCHS):
        for batch, chosen in enumerate(torch.randperm(len(x), generator=order).split(task.BATCH)):
            step = epoch * batches + batch
            optimizer.param_groups[0]["lr"] = rates[step]
            loss = task.example_losses(model, x[chosen], None if y is None else y[chosen]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            at_step(step + 1, rates[step], loss.item(), model)
    return model.eval()


def make(task, folder, source):
    """The run as a user would have it: examples, checkpoints, log, two exports of the final model, and whence.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoints").mkdir(exist_ok=True)
    task.write_examples(folder, source)
    x, y = task.read_examples(folder, "train")
    steps = math.ceil(len(x) / task.BATCH) * task.EPOCHS
    kept = checkpoint_steps(learning_rates(task, steps))
    rows = []

    def at_step(step, rate, loss, model):
        rows.append((step, repr(rate), f"{loss:.6f}"))
        if step in kept:
            tensors = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
            save_file(tensors, folder / "checkpoints" / f"step-{step}.safetensors")

    model = train(task, x, y, 0, at_step)
    with open(folder / "training-log.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "learning_rate", "loss"))
        writer.writerows(rows)
    for optimize, name in ((False, "model.onnx"), (True, "model-optimized.onnx")):
        task.export(model, folder / name, optimize)
    config = {
        "model": "model.onnx",
        "checkpoints": "checkpoints/step-*.safetensors",
        "log": "training-log.csv",
        **task.CONFIG,
        "optimizer": {"kind": "sgd", "momentum": task.MOMENTUM},
        "segments": 3,
        "fisher": task.FISHER,
    }
    (folder / "whence.json").write_text(json.dumps(config, indent=2) + "\n")
    with torch.no_grad():
        for split in ("train", "test"):
            x, y = task.read_examples(folder, split)
            loss = task.example_losses(model, x, y).mean().item()
            value = task.measurement(model, x, y).mean().item()
            print(f"{split}: mean loss {loss:.4f}, mean {task.MEASUREMENT} (larger is better) {value:.4f}")


def read_checkpoints(folder):
    """-> ascending steps, and the files' tensors"""
    files = sorted((folder / "checkpoints").glob("step-*.safetensors"), key=lambda file: int(file.stem.split("-")[1]))
    return [int(file.stem.split("-")[1]) for file in files], [load_file(file) for file in files]


def read_rates(folder):
    """The learning rate of every update, in order."""
    with open(folder / "training-log.csv") as file:
        return [float(row["learning_rate"]) for row in csv.DictReader(file)]
