"""What all classifiers of images share: cross-entropy, an exact Fisher over the classes, the margin, the export."""

import torch
from torch import nn
from torch.nn import functional as F


def sites(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}


def example_losses(model, x, y):
    """[batch]"""
    return F.cross_entropy(model(x), y, reduction="none")


def fisher_losses(model, x, step, index):
    """One loss a class, each for a copy of the single example `x`, with the probability of that class: nothing is drawn."""
    logits = model(x.expand(10, *x.shape[1:]))
    return F.cross_entropy(logits, torch.arange(10), reduction="none"), F.softmax(logits[0].detach(), 0)


def measurement(model, x, y):
    """[batch], larger where the model does better: the label's logit less the logsumexp of the others."""
    logits = model(x)
    label = F.one_hot(y, logits.shape[1]).bool()
    return logits[label] - logits.masked_fill(label, -torch.inf).logsumexp(1)


def export(model, path, optimize):
    torch.onnx.export(
        model, (torch.zeros(2, 1, 28, 28),), path, input_names=["x"], output_names=["logits"], dynamo=True,
        optimize=optimize, external_data=False, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False,
    )
