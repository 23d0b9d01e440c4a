"""What the scores foretell: the task trained anew, from other seeds, on random halves of its examples."""

import numpy as np
import torch

from training import read_training, train


def masks(subsets, examples):
    """[subsets, examples], true where the half holds the example."""
    rng = np.random.default_rng(1)
    chosen = np.zeros((subsets, examples), bool)
    for row in chosen:
        row[rng.permutation(examples)[: examples // 2]] = True
    return chosen


def retrain(task, folder, subsets, repeats, part, processes):
    """Every outcome is a file of its own, so that what is done is never done again and processes share the work."""
    outcomes = folder / "retrained"
    outcomes.mkdir(exist_ok=True)
    parts = read_training(task, folder)
    queries = task.read_examples(folder, "test")
    sizes = [len(x) for x, _ in parts]
    halves = masks(subsets, sum(sizes))
    for index in range(part, subsets * repeats, processes):
        repeat, subset = divmod(index, subsets)
        path = outcomes / f"half-{subset}-repeat-{repeat}.npy"
        if path.exists():
            continue
        chosen = []
        for (x, y), mask in zip(parts, np.split(halves[subset], np.cumsum(sizes)[:-1])):
            rows = torch.from_numpy(np.flatnonzero(mask))
            chosen.append((x[rows], None if y is None else y[rows]))
        model = train(task, chosen, 1000 * (repeat + 1) + subset)
        with torch.no_grad():
            values = task.measurement(model, *queries).numpy()
        unfinished = path.with_suffix(".part")
        with open(unfinished, "wb") as file:
            np.save(file, values)
        unfinished.rename(path)


def collect(folder, subsets, repeats, examples):
    """Writes masks.npy [subsets, examples] and outcomes.npy [subsets, repeats, queries], and says how repeatable they are."""
    values = np.stack(
        [
            [np.load(folder / "retrained" / f"half-{subset}-repeat-{repeat}.npy") for repeat in range(repeats)]
            for subset in range(subsets)
        ]
    )
    np.save(folder / "masks.npy", masks(subsets, examples).astype(np.float32))
    np.save(folder / "outcomes.npy", values.astype(np.float64))
    print(f"{subsets} halves, {repeats} retrainings each, {values.shape[2]} queries")
    if repeats == 1:
        return
    # One-way analysis of variance: of the variance of a mean over repeats, how much is the subset's own.
    between = values.mean(1).var(0, ddof=1)
    within = values.var(1, ddof=1).mean(0) / repeats
    reliability = np.clip(1 - within / between, 0, 1)
    print(f"reliability {reliability.mean():.3f}, the best LDS to be had about {np.sqrt(reliability).mean():.3f}")
