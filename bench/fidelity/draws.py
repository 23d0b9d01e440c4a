"""The labels that the sampled Fisher draws are no part of the method but an input of it, so both sides take the same ones."""

import torch

BITS = 0xFFFFFFFF


def mixed(key):
    """The finalizer of MurmurHash3, on 32 bits."""
    h = (key + 0x9E3779B9) & BITS
    h = (h ^ (h >> 16)) * 0x85EBCA6B & BITS
    h = (h ^ (h >> 13)) * 0xC2B2AE35 & BITS
    return h ^ (h >> 16)


def noise(seed, step, example, tokens):
    """A number in [0, 1) for every token, of 24 bits."""
    own = mixed(mixed(mixed(seed) ^ step) ^ example)
    keys = [own, *(mixed(own ^ token) for token in range(1, tokens))]
    return torch.tensor([(key >> 8) / 2**24 for key in keys], dtype=torch.float64)


def draw(probabilities, seed, step, example):
    """`probabilities` [tokens, classes] -> a label each: the first class up to which they reach the token's number."""
    at = noise(seed, step, example, len(probabilities))
    labels = torch.searchsorted(probabilities.cumsum(1), at[:, None]).squeeze(1)
    return labels.clamp(max=probabilities.shape[1] - 1)
