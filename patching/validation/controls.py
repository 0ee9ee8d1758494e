"""Controls: other neurons of the layer, and the candidate's activation in random directions.

Every control is treated as the candidate is: it has its own class, chosen on the reference images
in the same way, its own held-out images of that class, and its own neutral images.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patching.effects.bootstrap import Floats, Indices
from patching.validation.candidate import Candidate

CONTROLS = ("neurons", "directions")
"""Kinds of controls."""

POOL_SIZE = 64
"""Neurons of a layer that controls are taken from; each is measured at most once."""

NEURON_CONTROLS = 39
"""Controls from the pool; the critical value is the 38th of their effects."""

DIRECTION_CONTROLS = 19
"""Random directions; the critical value is the largest of their effects."""

SILENT = 1e-3
"""Level below which a neuron is silent, relative to the median of its layer."""


def control_pool(levels: Floats, size: int = POOL_SIZE) -> Indices:
    """Choose neurons of a layer that are evenly spaced in the order of activation levels.

    Parameters
    ----------
    levels : array, shape (F,)
        Standard deviation of each neuron's activation.
    size : int
        Maximum number of neurons.

    Returns
    -------
    array
        Indices of neurons that are not silent, from the lowest to the highest level.
    """
    order = np.argsort(levels, kind="stable")
    order = order[~silent(levels)[order]]
    count = min(size, len(order))
    return order[np.round(np.linspace(0, len(order) - 1, count)).astype(np.int64)]


def silent(levels: Floats) -> NDArray[np.bool_]:
    """Find neurons whose activation hardly varies.

    Parameters
    ----------
    levels : array, shape (F,)
        Standard deviation of each neuron's activation.

    Returns
    -------
    array of bool, shape (F,)
        Whether the level is at most `SILENT` times the median of all positive levels.
    """
    positive = levels[levels > 0]
    if not positive.size:
        return np.ones(len(levels), bool)
    return levels <= SILENT * np.median(positive)


def nearest_controls(
    levels: Floats, neuron: int, pool: Indices, count: int = NEURON_CONTROLS
) -> Indices:
    """Choose the controls of a neuron: those of the pool with the nearest logarithm of the level.

    Parameters
    ----------
    levels : array, shape (F,)
        Standard deviation of each neuron's activation.
    neuron : int
        Index of the neuron, which may be in the pool and is not chosen.
    pool : array
        Indices of neurons that are not silent.
    count : int
        Maximum number of controls.

    Returns
    -------
    array
        Indices of neurons, the nearest first.
    """
    others: Indices = pool[pool != neuron]
    distance = np.abs(np.log(levels[others] / levels[neuron]))
    return others[np.argsort(distance, kind="stable")[:count]]


def random_directions(direction: Tensor, generator: torch.Generator) -> Tensor:
    """Draw isotropic random directions with the norm of a given one.

    Parameters
    ----------
    direction : Tensor, shape (C,)
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor, shape (DIRECTION_CONTROLS, C)
    """
    shape = (DIRECTION_CONTROLS, len(direction))
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    drawn *= direction.double().norm().cpu() / drawn.norm(dim=1, keepdim=True)
    return drawn.to(direction)


def direction_controls(candidate: Candidate, directions: Tensor) -> list[Candidate]:
    """Make controls that write the candidate's activation in other directions.

    Parameters
    ----------
    candidate : Candidate
    directions : Tensor, shape (D, C)

    Returns
    -------
    list of Candidate, length D
        Each chooses its own class.
    """
    context, neuron = candidate.context, candidate.neuron
    supports = context.support(neuron, directions)
    return [
        Candidate(context, neuron.with_direction(direction), support, candidate.resamples)
        for direction, support in zip(directions, supports, strict=True)
    ]


def strongest_first(controls: list[Candidate]) -> list[Candidate]:
    """Return `controls` in descending order of first-order support.

    Most comparisons then fail, and stop, after few controls.
    """
    return sorted(controls, key=lambda control: -control.support.max())
