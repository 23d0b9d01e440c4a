"""What the bench races against on the networks of networks.py: EK-FAC's passes over one batch, in PyTorch.

    python network_reference.py NETWORK --sites WEIGHT,... [--batch 64] [--threads 2] [--queries 100]

Answers one line of JSON, {"wall_s", "cpu_s", "peak_rss_mb"}, for each line on standard input that names a stage: `taps`, `covariances`,
`eigenvalues`, `scores`, `products`. Activations and the gradients of the sites' outputs come from autograd with hooks; no
parameter requires a gradient, so that autograd computes none that nobody reads. `products` is `scores` without that pass.

The Fisher is summed over the classes; of the GPT one draw for every word. Into the eigenbasis go the rows of activations and
gradients, or what they make together, an example's gradient d^T a: whichever takes fewer operations.
"""

import argparse
import json
import resource
import sys
import time

import torch
from networks import examples, make
from torch import nn
from torch.nn import functional as F


class Taps:
    """Every site's activation and the gradient at its output, as hooks find them."""

    def __init__(self, network, weights):
        self.sites = []
        self.activations, self.gradients = {}, {}
        owners = {f"{name}.weight": module for name, module in network.named_modules() if hasattr(module, "weight")}
        for weight in weights:
            module = owners[weight]
            self.sites.append(module)
            module.register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        self.activations[module] = inputs[0]
        if not output.requires_grad:
            output.requires_grad_()
        output.register_hook(lambda gradient: self.gradients.__setitem__(module, gradient))

    def rows(self):
        """-> of every site [batch, positions, inputs], with a trailing 1 where there is a bias."""
        return [activation_rows(module, self.activations[module]) for module in self.sites]

    def deltas(self):
        """-> of every site [batch, positions, outputs]."""
        return [gradient_rows(module, self.gradients[module]) for module in self.sites]


def activation_rows(module, x):
    if isinstance(module, nn.Conv2d):
        x = F.unfold(x, module.kernel_size, module.dilation, module.padding, module.stride).transpose(1, 2)
    elif x.dim() == 2:
        x = x[:, None]
    return x if module.bias is None else torch.cat([x, x.new_ones(*x.shape[:-1], 1)], -1)


def gradient_rows(module, d):
    if isinstance(module, nn.Conv2d):
        return d.flatten(2).transpose(1, 2)
    return d[:, None] if d.dim() == 2 else d


def by_example(deltas, rows):
    """[batch, outputs, inputs]"""
    return deltas.transpose(1, 2) @ rows


class Passes:
    def __init__(self, network, inputs, labels, taps, queries):
        self.network, self.inputs, self.labels, self.taps = network, inputs, labels, taps
        # One forward pass, to know the sites' sizes.
        self.forward_backward()
        random = torch.Generator().manual_seed(2)
        sizes = [(d.shape[-1], a.shape[-1]) for d, a in zip(taps.deltas(), taps.rows())]
        self.positions = [d.shape[1] for d in self.taps.deltas()]
        orthogonal = lambda n: torch.linalg.qr(torch.randn(n, n, generator=random))[0]
        self.bases = [(orthogonal(outputs), orthogonal(inputs)) for outputs, inputs in sizes]
        self.queries = [torch.randn(queries, outputs, inputs, generator=random) for outputs, inputs in sizes]

    def forward_backward(self):
        logits = self.network(self.inputs)
        F.cross_entropy(logits.flatten(0, -2), self.labels.flatten(), ignore_index=-100, reduction="sum").backward()

    def fisher(self):
        """-> rows, and of every draw the deltas."""
        logits = self.network(self.inputs)
        probabilities = logits.detach().softmax(-1)
        if logits.dim() == 3:
            drawn = torch.multinomial(probabilities.flatten(0, 1), 1).view(logits.shape[:2])
            seeds = [(probabilities - F.one_hot(drawn, logits.shape[-1])) * (self.labels >= 0)[..., None]]
        else:
            one_hot = torch.eye(logits.shape[1])
            seeds = [p.sqrt()[:, None] * (probabilities - one_hot[c]) for c, p in enumerate(probabilities.T)]
        draws = []
        for seed in seeds:
            logits.backward(seed, retain_graph=True)
            draws.append(self.taps.deltas())
        return self.taps.rows(), draws

    def covariances(self):
        rows, draws = self.fisher()
        activations = [flat.T @ flat for flat in (a.flatten(0, 1) for a in rows)]
        gradients = [sum(d.flatten(0, 1).T @ d.flatten(0, 1) for d in site) for site in zip(*draws)]
        return activations, gradients

    def eigenvalues(self):
        rows, draws = self.fisher()
        result = []
        for site, (left, right) in enumerate(self.bases):
            if rows[site].shape[1] == 1:
                squares = sum((deltas[site][:, 0] @ left.T) ** 2 for deltas in draws)
                result.append(squares.T @ (rows[site][:, 0] @ right.T) ** 2)
            else:
                rotate = self.rotated_rows if self.cheaper_by_rows(site, len(draws)) else self.rotated_gradients
                result.append(sum((gradient**2).sum(0) for gradient in rotate(site, rows, draws)))
        return result

    def cheaper_by_rows(self, site, draws):
        (left, right), positions = self.bases[site], self.positions[site]
        outputs, inputs = len(left), len(right)
        by_rows = positions * (inputs**2 + draws * outputs**2)
        return by_rows < draws * inputs * outputs * (inputs + outputs)

    def rotated_rows(self, site, rows, draws):
        left, right = self.bases[site]
        rotated = rows[site] @ right.T
        return (by_example(deltas[site] @ left.T, rotated) for deltas in draws)

    def rotated_gradients(self, site, rows, draws):
        left, right = self.bases[site]
        return (left @ by_example(deltas[site], rows[site]) @ right.T for deltas in draws)

    def scores(self):
        self.forward_backward()
        return self.products()

    def products(self):
        total = 0
        for deltas, rows, queries in zip(self.taps.deltas(), self.taps.rows(), self.queries):
            if rows.shape[1] == 1:
                answers = (rows[:, 0] @ queries.flatten(0, 1).T).view(len(rows), *queries.shape[:2])
                total = total + (answers @ deltas[:, 0, :, None])[..., 0].T
            else:
                total = total + queries.flatten(1) @ by_example(deltas, rows).flatten(1).T
        return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--sites", required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = make(args.network)
    passes = Passes(network, *examples(args.network, args.batch), Taps(network, args.sites.split(",")), args.queries)
    stages = {
        "taps": passes.forward_backward,
        "covariances": passes.covariances,
        "eigenvalues": passes.eigenvalues,
        "scores": passes.scores,
        "products": passes.products,
    }
    for line in sys.stdin:
        started, before = time.perf_counter(), time.process_time()
        stages[line.strip()]()
        wall, cpu = time.perf_counter() - started, time.process_time() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_rss_mb": peak}), flush=True)


if __name__ == "__main__":
    main()
