"""Makes what Whence's scores are compared with, in PyTorch.

    python run.py make cnn FOLDER --source FASHION_MNIST            trains: FOLDER becomes a run with a whence.json
    python run.py make gpt FOLDER --source /usr/share/common-licenses
    python run.py reference cnn FOLDER                              scores in float64, by loops: FOLDER/reference
    python run.py retrain cnn FOLDER [--part 0 --parts 2]           outcomes of random halves: FOLDER/retrained
    python run.py collect cnn FOLDER                                FOLDER/masks.npy and outcomes.npy

Needs torch, numpy and safetensors, the GPT transformers and the regression scikit-learn too. A task is a file here. Retraining goes on where it was left.
"""

import argparse
import importlib
import json
from pathlib import Path

import torch

from reference import write_reference
from retraining import collect, retrain
from training import make

TASKS = ("mlp", "noisy", "cnn", "regression", "gpt", "adamw", "gptadamw", "stages")


def settle(task, args):
    """What make was told is kept in the folder, since retraining and the reference want the same network and epochs."""
    kept = args.folder / "task.json"
    if args.action == "make":
        args.folder.mkdir(parents=True, exist_ok=True)
        given = {"EPOCHS": args.epochs, "FLOOR": args.floor, "HIDDEN": args.hidden, "FISHER": args.fisher}
        kept.write_text(json.dumps({name: value for name, value in given.items() if value is not None}) + "\n")
    for name, value in json.loads(kept.read_text()).items():
        setattr(task, name, value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("make", "reference", "retrain", "collect"))
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, help="where make takes its examples from")
    parser.add_argument("--epochs", type=int, help="of make, and what follows on its folder; unless given, the task's own")
    parser.add_argument("--floor", type=float, help="likewise: the part of the learning rate that is left at the end")
    parser.add_argument("--hidden", type=int, help="likewise: width of the CNN's hidden Linear layer, or 0")
    parser.add_argument("--fisher", choices=("sampled", "empirical"), help="likewise: the GPT's")
    parser.add_argument("--subsets", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    task = importlib.import_module(args.task)
    settle(task, args)
    if args.action == "make":
        if args.source is None:
            parser.error("make needs --source")
        make(task, args.folder, args.source)
    elif args.action == "reference":
        write_reference(task, args.folder)
    elif args.action == "retrain":
        retrain(task, args.folder, args.subsets, args.repeats, args.part, args.parts)
    else:
        collect(args.folder, args.subsets, args.repeats, task.EXAMPLES)


if __name__ == "__main__":
    main()
