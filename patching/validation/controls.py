"""What a neuron is compared with: neurons of its layer, and its own activation written elsewhere.

Every control is treated as the neuron is: it has its own class, chosen from the reference images
in the same way, its own test images and its own neutral ones.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from patching.validation.candidate import Candidate
from patching.validation.control_test import Floats, Indices

POOL = 64
"""Neurons of a layer that controls are taken from; each is patched at most once for all tested."""

NEURONS = 39
"""Controls from the pool, those nearest in activation level: the 38th of their effects counts."""

DIRECTIONS = 19
"""Random directions: the largest of their effects counts."""

SILENT = 1e-3
"""Of the median level of a layer: below it a neuron is silent."""


def pool(levels: Floats, size: int = POOL) -> Indices:
    """Choose neurons of a layer that are evenly spaced in the order of activation levels.

    Parameters
    ----------
    levels : array, shape (F,)
        Deviation of each neuron's activation.

    Returns
    -------
    array
        At most `size`, from the lowest level to the highest; no silent ones.
    """
    order = np.argsort(levels, kind="stable")
    order = order[~silent(levels)[order]]
    count = min(size, len(order))
    return order[np.round(np.linspace(0, len(order) - 1, count)).astype(np.int64)]


def silent(levels: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which neurons hardly vary, beside the median of those that vary at all."""
    some = levels[levels > 0]
    if not some.size:
        return np.ones(len(levels), bool)
    return levels <= SILENT * np.median(some)


def nearest(levels: Floats, neuron: int, among: Indices, count: int = NEURONS) -> Indices:
    """Choose the controls of a neuron: others of the pool, nearest in the logarithm of level.

    Returns
    -------
    array
        Places in `among`.
    """
    places = np.flatnonzero(among != neuron)
    distance = np.abs(np.log(levels[among[places]] / levels[neuron]))
    return places[np.argsort(distance, kind="stable")[:count]]


def random_directions(direction: Tensor, generator: torch.Generator) -> Tensor:
    """Draw directions of a direction's norm, shape (DIRECTIONS, C)."""
    drawn = torch.randn(DIRECTIONS, len(direction), generator=generator, dtype=torch.float64)
    drawn *= direction.double().norm().cpu() / drawn.norm(dim=1, keepdim=True)
    return drawn.to(direction)


def strongest_first(controls: list[Candidate]) -> list[Candidate]:
    """Order controls by what they do to first order: the first ones settle most comparisons."""
    return sorted(controls, key=lambda control: -control.support.max())


def written_directions(own: Candidate, directions: Tensor) -> list[Candidate]:
    """Let a neuron's activation write other directions, (D, C); each has its own class."""
    supports = own.context.support(own.neuron, directions)
    return [
        Candidate(own.context, own.neuron.writing(direction), support, own.weights)
        for direction, support in zip(directions, supports, strict=True)
    ]
