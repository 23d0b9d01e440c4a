"""Training that all tasks share: an optimizer, a learning rate that falls along a cosine to FLOOR of itself, stages."""

import csv
import json
import math

import torch
from safetensors.torch import load_file, save_file

CHECKPOINTS = 6
"""Of every stage."""


def stages(task):
    """Every stage's examples, epochs and learning rate; most tasks have one."""
    whole = {"split": "train", "epochs": getattr(task, "EPOCHS", 0), "learningRate": getattr(task, "LEARNING_RATE", 0)}
    return getattr(task, "STAGES", (whole,))


def read_training(task, folder):
    """-> the stages' examples in order, [(x, y), ...]"""
    return [task.read_examples(folder, stage["split"]) for stage in stages(task)]


def learning_rates(task, stage, examples):
    """The rate of every update of a stage."""
    steps = stage["epochs"] * math.ceil(examples / task.BATCH)
    falls = (1 - task.FLOOR) / 2
    return [stage["learningRate"] * (1 - falls + falls * math.cos(math.pi * step / steps)) for step in range(steps)]


def checkpoint_steps(rates):
    """Steps that cut the total learning rate into equal parts."""
    total, sums = sum(rates), []
    for rate in rates:
        sums.append((sums[-1] if sums else 0.0) + rate)
    return [
        min(range(len(sums)), key=lambda step: abs(sums[step] - total * (part + 1) / CHECKPOINTS)) + 1
        for part in range(CHECKPOINTS)
    ]


def make_optimizer(task, parameters):
    settings = task.OPTIMIZER
    decay = settings.get("weightDecay", 0.0)
    if settings["kind"] == "sgd":
        return torch.optim.SGD(parameters, lr=0.0, momentum=settings["momentum"], weight_decay=decay)
    return torch.optim.AdamW(parameters, lr=0.0, betas=settings["betas"], eps=settings["epsilon"], weight_decay=decay)


def train(task, parts, seed, at_step=lambda step, rate, loss, model, optimizer: None):
    """
    Trains on all of `parts`, one (x, y) a stage, with an optimizer of its own; the seed is that of the initial weights and
    the order. -> the model in evaluation mode
    """
    torch.manual_seed(seed)
    model = task.make_model().train()
    order = torch.Generator().manual_seed(seed + 1_000_000)
    step = 0
    for stage, (x, y) in zip(stages(task), parts):
        optimizer = make_optimizer(task, model.parameters())
        rates = iter(learning_rates(task, stage, len(x)))
        for _ in range(stage["epochs"]):
            for chosen in torch.randperm(len(x), generator=order).split(task.BATCH):
                rate = next(rates)
                optimizer.param_groups[0]["lr"] = rate
                loss = task.example_losses(model, x[chosen], None if y is None else y[chosen]).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                at_step(step, rate, loss.item(), model, optimizer)
    return model.eval()


def make(task, folder, source):
    """The run as a user would have it: examples, checkpoints, log, two exports of the final model, and whence.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoints").mkdir(exist_ok=True)
    task.write_examples(folder, source)
    parts = read_training(task, folder)
    kept, ends = set(), []
    for stage, (x, _) in zip(stages(task), parts):
        rates = learning_rates(task, stage, len(x))
        start = ends[-1] if ends else 0
        kept.update(start + step for step in checkpoint_steps(rates))
        ends.append(start + len(rates))
    rows = []

    def at_step(step, rate, loss, model, optimizer):
        rows.append((step, repr(rate), f"{loss:.6f}"))
        if step in kept:
            tensors = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
            save_file(tensors, folder / "checkpoints" / f"step-{step}.safetensors")
            if task.OPTIMIZER["kind"] != "sgd":
                (folder / "states").mkdir(exist_ok=True)
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
                torch.save(state, folder / "states" / f"step-{step}.pt")

    model = train(task, parts, 0, at_step)
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
        "optimizer": task.OPTIMIZER,
        "segments": 3,
        "fisher": task.FISHER,
    }
    if len(parts) > 1:
        config["stages"] = [
            {"name": stage["split"], "until": end, "train": stage["split"]} for stage, end in zip(stages(task), ends)
        ]
    (folder / "whence.json").write_text(json.dumps(config, indent=2) + "\n")
    with torch.no_grad():
        for split in (*(stage["split"] for stage in stages(task)), "test"):
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
