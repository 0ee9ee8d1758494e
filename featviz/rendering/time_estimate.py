"""How long a bulk job will take, from a few steps at some depths of the model."""

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

# Steps of the shorter and the longer of the two runs that a layer is timed with.
SHORT, LONG = 1, 3


@dataclass(frozen=True)
class Cost:
    """What pictures of one layer cost, in seconds.

    Attributes
    ----------
    start : float
        Of a picture, besides its steps: drawing the views, decoding, reading its value.
    step : float
        Of a step of a picture.
    """

    start: float
    step: float


def estimate(
    model: VisionModel,
    batches: Sequence[Sequence[Unit]],
    recipe: Recipe,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Estimate how long this process would take to render batches, in seconds.

    The shallowest, the middle and the deepest of the layers that the batches are of are timed on
    their first batch, for four steps each and one to warm up; between them the cost of a step is
    taken to grow evenly from site to site. It holds for the machine as busy as it is now, and
    leaves out what loading the model and writing take.

    Parameters
    ----------
    batches : sequence of sequences of Unit
        As `featviz.rendering.plan.Plan` has them.
    clock : callable
        Returns the time in seconds.

    Returns
    -------
    float
        0 if there is nothing to do.
    """
    layers: dict[int, Sequence[Unit]] = {}
    for batch in batches:
        layers.setdefault(depth(model, batch[0]), batch)
    depths = sorted(layers)
    if not depths:
        return 0.0
    probed = sorted({depths[0], depths[len(depths) // 2], depths[-1]})
    costs = [_time(model, layers[number], recipe, clock) for number in probed]
    pictures = dict.fromkeys(depths, 0)
    for batch in batches:
        pictures[depth(model, batch[0])] += len(batch) * recipe.samples
    starts = np.interp(depths, probed, [cost.start for cost in costs])
    steps = np.interp(depths, probed, [cost.step for cost in costs])
    counts = np.array([pictures[number] for number in depths])
    return float(counts @ (starts + recipe.steps * steps))


def _time(
    model: VisionModel, batch: Sequence[Unit], recipe: Recipe, clock: Callable[[], float]
) -> Cost:
    def seconds(steps: int) -> float:
        start = clock()
        # Runs as the job will: halved where memory runs out, past units that fail.
        for _ in run(model, [batch], replace(recipe, steps=steps)):
            pass
        return clock() - start

    seconds(SHORT)
    short, long = seconds(SHORT), seconds(LONG)
    step = max(0.0, long - short) / (LONG - SHORT)
    pictures = len(batch) * recipe.samples
    return Cost(max(0.0, short - SHORT * step) / pictures, step / pictures)
