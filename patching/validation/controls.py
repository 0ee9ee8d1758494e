"""What a neuron is compared with: neurons of its layer, and its own activation written elsewhere.

Every control is treated as the neuron is: it has its own class, chosen from the reference images
in the same way, its own test images and its own neutral ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from patching.validation.resampling import Floats, Places, resampled_means
from patching.validation.scene import Effect, Neuron, Scene

POOL = 64
"""Neurons of a layer that controls are taken from; patched once for all that are tested."""

NEURONS = 39
"""Controls from the pool, those nearest in activation level: the 38th of their effects counts."""

DIRECTIONS = 19
"""Random directions: the largest of their effects counts."""

LEAST_NEUTRAL = 8
"""Neutral images; with fewer nothing is said about sufficiency."""

SILENT = 1e-3
"""Of the median level of a layer: below it a neuron is silent."""


@dataclass(frozen=True)
class Measured:
    """The effects of one neuron, or of one control.

    Attributes
    ----------
    place : int
        Its class.
    effects : list of Effect
        Of `patching.validation.scene.MEASURES` interventions.
    estimate : array, shape (measures,)
        Mean effect on the class's margin: what it loses by ablation, and gains by the dose.
    resampled : array, shape (measures, B)
        The same in each resample of the images.
    """

    place: int
    effects: list[Effect]
    estimate: Floats
    resampled: Floats


def measure(scene: Scene, neuron: Neuron, place: int, weights: Floats) -> Measured:
    """Intervene on a neuron, and average the effects on a class.

    Parameters
    ----------
    weights : array, shape (B, test images)
        See `patching.validation.resampling.draw`.
    """
    effects = scene.run(scene.changes(neuron, place), neuron.direction)
    values = [sign * each.change[:, place] for sign, each in zip((-1, -1, 1), effects, strict=True)]
    estimate, resampled = [], []
    for number, (each, value) in enumerate(zip(effects, values, strict=True)):
        enough = len(value) >= (LEAST_NEUTRAL if number == len(effects) - 1 else 1)
        estimate.append(value.mean() if enough else np.nan)
        means = resampled_means(weights, tested(scene, each.images), value)
        resampled.append(means if enough else np.full(len(weights), np.nan))
    return Measured(place, effects, np.array(estimate), np.stack(resampled))


def tested(scene: Scene, images: Places) -> Places:
    """Find images among the test images."""
    return np.searchsorted(scene.split.test, images)


def pool(levels: Floats, size: int = POOL) -> Places:
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


def nearest(levels: Floats, neuron: int, among: Places, count: int = NEURONS) -> Places:
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


def measure_directions(
    scene: Scene, neuron: Neuron, weights: Floats, generator: torch.Generator
) -> Sequence[Measured]:
    """Let the neuron's activation write random directions, and measure each on its own class."""
    directions = random_directions(neuron.direction, generator)
    controls = [neuron.writing(direction) for direction in directions]
    return [measure(scene, each, scene.choose(each), weights) for each in controls]
