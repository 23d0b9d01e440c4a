"""Attribution by loops over examples in float64, written for reading: nothing is batched, factored or approximated further.

Scores are [queries, examples], positive where training on the example makes the query's measurement better:

    source_L3, source_L1    SOURCE (Bae et al. 2024) with 3 segments of 2 checkpoints, and with 1 of 6; of a run of Adam in
                            coordinates rescaled by its second moments, which are taken from the gradients
    influence               EK-FAC influence functions at the last checkpoint, damping 0.1 x each site's mean eigenvalue
    tracin                  sum over checkpoints of the learning rate times the dot product of gradients
    gradient_dot            dot product of gradients at the last checkpoint
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training import read_checkpoints, read_rates


def patches(module, inputs):
    """What a site's weight meets, [batch, positions, inputs]; a bias is one more input that is always 1."""
    if isinstance(module, nn.Conv2d):
        rows = F.unfold(inputs, module.kernel_size, module.dilation, module.padding, module.stride).transpose(1, 2)
    else:
        rows = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    if module.bias is None:
        return rows
    return torch.cat([rows, torch.ones(*rows.shape[:2], 1, dtype=rows.dtype)], 2)


def positions(module, gradients):
    """Gradients at a site's output, [batch, positions, outputs]."""
    if isinstance(module, nn.Conv2d):
        return gradients.flatten(2).transpose(1, 2)
    return gradients.reshape(len(gradients), -1, gradients.shape[-1])


def backward(task, model, losses):
    """`losses(model)` [batch] -> per site (a [batch, positions, inputs], d [batch, positions, outputs])"""
    modules, seen, hooks = task.sites(model), {}, []
    for name, module in modules.items():
        hooks.append(module.register_forward_hook(lambda _, i, o, name=name: seen.update({name: (i[0].detach(), o)})))
    total = losses(model).sum()
    for hook in hooks:
        hook.remove()
    gradients = torch.autograd.grad(total, [seen[name][1] for name in modules])
    return {
        name: (patches(module, seen[name][0]), positions(module, gradient))
        for (name, module), gradient in zip(modules.items(), gradients)
    }


def example(x, y, index):
    return x[index : index + 1], None if y is None else y[index : index + 1]


def fisher_backward(task, model, x, step, index):
    """Of example `index`, one row a loss of the Fisher's, each times the root of its probability."""
    kept = {}

    def losses(m):
        values, kept["probabilities"] = task.fisher_losses(m, x[index : index + 1], step, index)
        return values

    seen = backward(task, model, losses)
    root = kept["probabilities"].sqrt()[:, None, None]
    return {name: (a, d * root) for name, (a, d) in seen.items()}


def weight_gradients(seen):
    """Per site [batch, outputs, inputs]: summed over positions."""
    return {name: torch.einsum("bpo,bpi->boi", d, a) for name, (a, d) in seen.items()}


def covariances(task, model, x, step):
    """Of one checkpoint: per site the sums of a a^T and d d^T. Only their eigenvectors will matter, so not their scale."""
    sums = {}
    for index in range(len(x)):
        for name, (a, d) in fisher_backward(task, model, x, step, index).items():
            # The labels of one example share its activations.
            A, S = torch.einsum("pi,pj->ij", a[0], a[0]), torch.einsum("bpi,bpj->ij", d, d)
            before = sums.get(name, (0, 0))
            sums[name] = (before[0] + A, before[1] + S)
    return sums


def second_moments(task, model, x, y):
    """Of one checkpoint: per site the second moment of a batch's mean gradient [outputs, inputs], which Adam averages."""
    sums = {}
    for index in range(len(x)):
        one = example(x, y, index)
        for name, gradient in weight_gradients(backward(task, model, lambda m: task.example_losses(m, *one))).items():
            before = sums.get(name, (0, 0))
            sums[name] = (before[0] + gradient[0], before[1] + gradient[0] ** 2)
    count = len(x)
    noise = (count - task.BATCH) / (task.BATCH * (count - 1))
    return {name: (g / count) ** 2 + noise * (squares / count - (g / count) ** 2) for name, (g, squares) in sums.items()}


def scales(parts, epsilon):
    """Of several checkpoints' second moments: per site (rows, columns) of D with D^2 = 1 / (sqrt(v) + epsilon), v as rows x columns."""
    found = {}
    for name in parts[0]:
        p = ((sum(part[name] for part in parts) / len(parts)).sqrt() + epsilon) ** 2
        found[name] = (p.mean(1) ** -0.25, (p.mean(0) / p.mean()) ** -0.25)
    return found


def no_scales(parts):
    return {name: (torch.ones(len(S), dtype=S.dtype), torch.ones(len(A), dtype=A.dtype)) for name, (A, S) in parts[0].items()}


def eigenvectors(parts, scaled):
    """Of several checkpoints' covariances: per site (Q_A, Q_S, D), of the covariances in the rescaled coordinates."""
    found = {}
    for name, (rows, columns) in scaled.items():
        A, S = (sum(part[name][side] for part in parts) for side in (0, 1))
        QA, QS = (torch.linalg.eigh(C * torch.outer(d, d))[1] for C, d in ((A, columns), (S, rows)))
        found[name] = (QA, QS, torch.outer(rows, columns))
    return found


def add_eigenvalues(task, model, x, step, bases, sums):
    """Adds one checkpoint's squared gradients to the sums of every basis in turn."""
    for index in range(len(x)):
        gradients = weight_gradients(fisher_backward(task, model, x, step, index))
        for basis, own in zip(bases, sums):
            for name, (QA, QS, D) in basis.items():
                own[name] = own.get(name, 0) + ((QS.T @ (D * gradients[name]) @ QA) ** 2).sum(0)


def stack(task, model, x, y, of):
    """[examples, all parameters of all sites] of the gradients of `of(model, x, y)`, example by example."""
    rows = []
    for index in range(len(x)):
        one = example(x, y, index)
        gradients = weight_gradients(backward(task, model, lambda m: of(m, *one)))
        rows.append(torch.cat([gradients[name].flatten() for name in gradients]))
    return torch.stack(rows)


def respond(t, h):
    x = t * h
    small = x < 1e-12
    return t * torch.where(small, 1.0, -torch.expm1(-x) / torch.where(small, 1.0, x))


def apply(factor, rows, function, back):
    """
    A function of the curvature times every row of [queries, parameters]. `back` is 1 for what gradients are multiplied with, which
    are rescaled too, and -1 for another query, in the parameters' own coordinates.
    """
    parts, start = [], 0
    for (QA, QS, D), values in factor:
        count = values.numel()
        V = D * rows[:, start : start + count].reshape(-1, *values.shape)
        parts.append((D**back * (QS @ ((QS.T @ V @ QA) * function(values)) @ QA.T)).flatten(1))
        start += count
    return torch.cat(parts, 1)


def reference(task, folder):
    """-> name: scores"""
    x, y = task.read_examples(folder, "train")
    queries = task.read_examples(folder, "test")
    if x.is_floating_point():
        x, queries = x.double(), (queries[0].double(), queries[1])
    steps, tensors = read_checkpoints(folder)
    rates = read_rates(folder)
    models = []
    for checkpoint in tensors:
        model = task.make_model().double().eval()
        model.load_state_dict(checkpoint)
        models.append(model)
    last, count = len(models) - 1, len(x)

    # Every group of checkpoints that some method takes the curvature of; SOURCE's are in the optimizer's coordinates.
    is_adam = task.OPTIMIZER["kind"] != "sgd"
    thirds = [tuple(range(start, start + len(models) // 3)) for start in range(0, len(models), len(models) // 3)]
    groups = [*((group, is_adam) for group in (*thirds, tuple(range(len(models))))), ((last,), False)]
    sums = [covariances(task, model, x, step) for model, step in zip(models, steps)]
    moments = [second_moments(task, model, x, y) for model in models] if is_adam else []
    bases = {}
    for group, rescaled in groups:
        parts = [sums[index] for index in group]
        own = scales([moments[index] for index in group], task.OPTIMIZER["epsilon"]) if rescaled else no_scales(parts)
        bases[group, rescaled] = eigenvectors(parts, own)
    squares = {group: {} for group in bases}
    for index, model in enumerate(models):
        own = [group for group in bases if index in group[0]]
        add_eigenvalues(task, model, x, steps[index], [bases[group] for group in own], [squares[group] for group in own])
    factors = {
        group: [(bases[group][name], squares[group][name] / (count * len(group[0]))) for name in bases[group]]
        for group in bases
    }

    def query_gradients(model):
        return stack(task, model, *queries, lambda m, a, b: -task.measurement(m, a, b))

    final = query_gradients(models[last])

    decay = task.OPTIMIZER.get("weightDecay", 0.0)

    def totals(group):
        start = steps[group[0] - 1] if group[0] else 0
        return sum(rates[start : steps[group[-1]]]) / (1 - task.OPTIMIZER.get("momentum", 0.0))

    # What every checkpoint's training gradients are multiplied with, by method.
    multiplied = {}
    for name, segments in (("source_L3", thirds), ("source_L1", [tuple(range(len(models)))])):
        rows = final
        for group in reversed(segments):
            t, factor = totals(group), factors[group, is_adam]
            answered = apply(factor, rows, lambda h: respond(t, h + decay), 1) / (count * len(group))
            multiplied.setdefault(name, {}).update({index: answered for index in group})
            rows = apply(factor, rows, lambda h: torch.exp(-t * (h + decay)), -1)
    inverse = apply(factors[(last,), False], final, lambda h: 1 / (h + 0.1 * h.mean()), 1)
    multiplied["influence"] = {last: inverse / count}
    multiplied["tracin"] = {index: rates[step - 1] * query_gradients(models[index]) for index, step in enumerate(steps)}
    multiplied["gradient_dot"] = {last: final}

    scores = {name: 0 for name in multiplied}
    for index, model in enumerate(models):
        gradients = stack(task, model, x, y, task.example_losses)
        for name, rows in multiplied.items():
            if index in rows:
                scores[name] = scores[name] + rows[index] @ gradients.T
    return {name: values.numpy() for name, values in scores.items()}


def write_reference(task, folder):
    (folder / "reference").mkdir(exist_ok=True)
    for name, values in reference(task, folder).items():
        np.save(folder / "reference" / f"{name}.npy", values)
