"""The time that a job will take, estimated from a few steps at some depths of the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from featviz.addressing.address import Unit
from featviz.optimization.recipe import Recipe
from featviz.rendering.batches import run
from featviz.rendering.plan import depth

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# Steps of the shorter and the longer of the two runs that time a layer.
SHORT, LONG = 1, 3


@dataclass(frozen=True)
class Cost:
    """The time that a picture of one layer takes, in seconds.

    Attributes
    ----------
    fixed : float
        Per picture: drawing augmentations, decoding, measuring the activation.
    step : float
        Per step and picture.
    """

    fixed: float
    step: float


def estimate_seconds(
    model: VisionModel,
    batches: Sequence[Sequence[Unit]],
    recipe: Recipe,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Estimate how long this process takes to render batches.

    The first batch of the shallowest, the middle and the deepest layer is timed, for four steps and
    one to warm up; the time per step is interpolated linearly over the sites in between. The
    estimate holds for the current load of the machine, and leaves out loading the model and
    writing.

    Parameters
    ----------
    model : VisionModel
    batches : sequence of sequences of Unit
        See `featviz.rendering.plan.Plan`.
    recipe : Recipe
    clock : callable
        Returns the time in seconds.

    Returns
    -------
    float
        Seconds; 0 if there is nothing to render.
    """
    layers: dict[int, Sequence[Unit]] = {}
    for batch in batches:
        layers.setdefault(depth(model, batch[0]), batch)
    depths = sorted(layers)
    if not depths:
        return 0.0
    probed = sorted({depths[0], depths[len(depths) // 2], depths[-1]})
    costs = [_measure(model, layers[index], recipe, clock) for index in probed]
    pictures = dict.fromkeys(depths, 0)
    for batch in batches:
        pictures[depth(model, batch[0])] += len(batch) * recipe.samples
    fixed = np.interp(depths, probed, [cost.fixed for cost in costs])
    steps = np.interp(depths, probed, [cost.step for cost in costs])
    counts = np.array([pictures[index] for index in depths])
    return float(counts @ (fixed + recipe.steps * steps))


def _measure(
    model: VisionModel, batch: Sequence[Unit], recipe: Recipe, clock: Callable[[], float]
) -> Cost:
    def seconds(steps: int) -> float:
        start = clock()
        # Splits batches when memory runs out and skips units that fail, as the job will.
        for _ in run(model, [batch], replace(recipe, steps=steps)):
            pass
        return clock() - start

    seconds(SHORT)
    short, long = seconds(SHORT), seconds(LONG)
    step = max(0.0, long - short) / (LONG - SHORT)
    pictures = len(batch) * recipe.samples
    return Cost(max(0.0, short - SHORT * step) / pictures, step / pictures)
