"""What the bench races against: SOURCE in PyTorch, written for speed, on one training run.

    python source_reference.py FOLDER [--threads 2] [--queries 100] [--out scores.npy]

FOLDER is laid out as sample/fashion-mnist: an MLP of Linear and ReLU in six checkpoints, a training log, IDX data. Three
segments of two checkpoints, the Fisher summed exactly over the classes, the margin of the label of the first test images.

An example's gradient of a Linear layer is d a^T, a rank-one matrix, and is never formed: eigenvalues and scores are products
of the batch's d and a. What the classes share (activations and their rotation) is computed once.

Prints one JSON object to stdout: for every stage its wall and CPU seconds; `total` is their sum, one_query left out, which
is what one more query costs once all else is there.
"""

import argparse
import csv
import gzip
import json
import resource
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

MEAN, STD = 0.2860, 0.3530
SEGMENTS = 3
MOMENTUM = 0.9
QUERIES_AT_ONCE = 25


class Stopwatch:
    """Wall and CPU seconds (of all threads) by stage."""

    def __init__(self):
        self.stages = {}

    @contextmanager
    def __call__(self, stage):
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        before = self.stages.get(stage, (0.0, 0.0))
        self.stages[stage] = (before[0] + time.perf_counter() - wall, before[1] + time.process_time() - cpu)

    def report(self):
        stages = {name: {"wall_s": round(w, 4), "cpu_s": round(c, 4)} for name, (w, c) in self.stages.items()}
        counted = [times for name, times in self.stages.items() if name != "one_query"]
        stages["total"] = {"wall_s": round(sum(w for w, _ in counted), 4), "cpu_s": round(sum(c for _, c in counted), 4)}
        return stages


def read_split(folder, split, count=None):
    raw = folder / "data" / "FashionMNIST" / "raw"
    with gzip.open(raw / f"{split}-images-idx3-ubyte.gz") as file:
        content = file.read()
    height, width = np.frombuffer(content, ">u4", 2, offset=8)
    images = np.frombuffer(content, np.uint8, offset=16).reshape(-1, height * width)[:count]
    with gzip.open(raw / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:count]
    x = (images.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64))


def read_checkpoints(folder):
    """-> steps, and per checkpoint the layers' (weight, bias) in order."""
    files = {int(file.stem.split("-")[1]): file for file in (folder / "checkpoints").glob("step-*.safetensors")}
    steps = sorted(files)
    checkpoints = []
    for step in steps:
        tensors = load_file(files[step])
        names = sorted({name.split(".")[0] for name in tensors}, key=int)
        checkpoints.append([(tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in names])
    return steps, checkpoints


def forward(layers, x):
    """-> logits and every layer's input with a trailing 1."""
    one = torch.ones(len(x), 1)
    inputs = []
    for index, (weight, bias) in enumerate(layers):
        x = torch.relu(x) if index else x
        inputs.append(torch.cat([x, one], 1))
        x = torch.addmm(bias, x, weight.T)
    return x, inputs


def backward(layers, inputs, delta):
    """From the gradient at the logits to that at every layer's output. A ReLU lets through where its output is positive."""
    deltas = [delta]
    for (weight, _), rows in zip(reversed(layers[1:]), reversed(inputs[1:])):
        delta = (delta @ weight) * (rows[:, :-1] > 0)
        deltas.insert(0, delta)
    return deltas


def loss_delta(logits, labels):
    return F.softmax(logits, 1) - F.one_hot(labels, logits.shape[1])


def negative_margin_delta(logits, labels):
    """Of minus (the label's logit less the logsumexp of the others)."""
    label = F.one_hot(labels, logits.shape[1]).bool()
    return F.softmax(logits.masked_fill(label, -torch.inf), 1) - label.float()


def fisher_deltas(layers, x):
    """-> inputs, and per class the gradients at every layer's output times the root of the class's probability."""
    logits, inputs = forward(layers, x)
    probabilities = F.softmax(logits, 1)
    classes = []
    for label in range(logits.shape[1]):
        delta = probabilities.clone()
        delta[:, label] -= 1
        classes.append(backward(layers, inputs, delta * probabilities[:, label : label + 1].sqrt()))
    return inputs, classes


def covariances(fishers):
    """A and S of every layer, over a segment's checkpoints."""
    count = len(fishers) * len(fishers[0][0][0])
    return [
        (
            sum(inputs[layer].T @ inputs[layer] for inputs, _ in fishers) / count,
            sum(deltas[layer].T @ deltas[layer] for _, classes in fishers for deltas in classes) / count,
        )
        for layer in range(len(fishers[0][0]))
    ]


def eigenvectors(pairs):
    return [tuple(torch.linalg.eigh(matrix.double())[1].float() for matrix in pair) for pair in pairs]


def eigenvalues(bases, fishers):
    """Lambda of every layer, [outputs, inputs + 1]: the mean of the squares of rotated rank-one gradients."""
    count = len(fishers) * len(fishers[0][0][0])
    out = []
    for layer, (QA, QS) in enumerate(bases):
        total = 0
        for inputs, classes in fishers:
            squares = sum((deltas[layer] @ QS) ** 2 for deltas in classes)
            total = total + squares.T @ (inputs[layer] @ QA) ** 2
        out.append(total / count)
    return out


def query_gradients(layers, x, y):
    """Per layer [queries, outputs, inputs + 1]."""
    logits, inputs = forward(layers, x)
    deltas = backward(layers, inputs, negative_margin_delta(logits, y))
    return [torch.einsum("qo,qi->qoi", d, a) for d, a in zip(deltas, inputs)]


def dots(queries, gradients):
    """[queries, examples]: the sum over layers of d^T V a."""
    total = 0
    for V, (a, d) in zip(queries, gradients):
        rows = []
        for part in V.split(QUERIES_AT_ONCE):
            count, outputs, width = part.shape
            product = (a @ part.reshape(count * outputs, width).T).reshape(len(a), count, outputs)
            rows.append(torch.einsum("nqo,no->qn", product, d))
        total = total + torch.cat(rows)
    return total


def respond(t, h):
    small = t * h < 1e-12
    return torch.where(small, t, -torch.expm1(-t * h) / torch.where(small, 1.0, h))


def scores(segments, queries, examples):
    """`segments`: (bases, eigenvalues, training gradients of each checkpoint, total learning rate). -> [queries, examples]."""
    total = 0
    for bases, values, gradients, t in reversed(segments):
        rotated = [QS.T @ V @ QA for V, (QA, QS) in zip(queries, bases)]
        answered = [QS @ (respond(t, h) * V) @ QA.T for V, h, (QA, QS) in zip(rotated, values, bases)]
        for checkpoint in gradients:
            total = total + dots(answered, checkpoint) / (len(gradients) * examples)
        queries = [QS @ (torch.exp(-t * h) * V) @ QA.T for V, h, (QA, QS) in zip(rotated, values, bases)]
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--out", type=Path, help="where to write the scores: .npy, float32 [queries, examples]")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    stage = Stopwatch()

    with stage("reading"):
        x, y = read_split(args.folder, "train")
        query_x, query_y = read_split(args.folder, "t10k", args.queries)
        steps, checkpoints = read_checkpoints(args.folder)
        with open(args.folder / "training-log.csv") as file:
            rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    with stage("training_gradients"):
        gradients = []
        for layers in checkpoints:
            logits, inputs = forward(layers, x)
            gradients.append(list(zip(inputs, backward(layers, inputs, loss_delta(logits, y)))))
    with stage("fisher_backward"):
        fishers = [fisher_deltas(layers, x) for layers in checkpoints]

    per = len(checkpoints) // SEGMENTS
    segments = []
    for index in range(SEGMENTS):
        chosen = slice(index * per, (index + 1) * per)
        with stage("covariance"):
            pairs = covariances(fishers[chosen])
        with stage("eigenvectors"):
            bases = eigenvectors(pairs)
        with stage("eigenvalues"):
            values = eigenvalues(bases, fishers[chosen])
        begin = steps[index * per - 1] if index else 0
        total_rate = sum(rates[begin : steps[(index + 1) * per - 1]]) / (1 - MOMENTUM)
        segments.append((bases, values, gradients[chosen], total_rate))
    del fishers

    with stage("query_gradients"):
        queries = query_gradients(checkpoints[-1], query_x, query_y)
    with stage("scores"):
        result = scores(segments, queries, len(x))
    with stage("one_query"):
        scores(segments, query_gradients(checkpoints[-1], query_x[:1], query_y[:1]), len(x))

    if args.out:
        np.save(args.out, result.numpy())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**stage.report(), "peak_rss_mb": round(peak), "threads": args.threads, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
