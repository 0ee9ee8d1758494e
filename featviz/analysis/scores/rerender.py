"""Rendering of the units of a store from other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz._util.progress import Progress, part_of
from featviz.addressing.address import Unit
from featviz.optimization.recipe import Recipe
from featviz.rendering.batches import run
from featviz.rendering.plan import batches_of

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def render_other_seeds(
    model: VisionModel, units: Sequence[Unit], recipe: Recipe, seeds: int, progress: Progress
) -> tuple[dict[Unit, Tensor], dict[Unit, str]]:
    """Render units with the seeds that follow the seed of a recipe, one picture each.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
    recipe : Recipe
    seeds : int
        Number of seeds, including the seed of the recipe.
    progress : callable
        Called with the number of pictures finished and in all.

    Returns
    -------
    pictures : dict of Unit to Tensor of uint8, shape (seeds - 1, H, W, 3)
        Of the units of which no picture failed.
    failures : dict of Unit to str
        Of the other units, with the reason.
    """
    found: dict[Unit, list[Tensor]] = {unit: [] for unit in units}
    failures: dict[Unit, str] = {}
    count = len(units)
    for index in range(seeds - 1):
        other = replace(recipe, seed=recipe.seed + index + 1, samples=1, diversity=0.0)
        report = part_of(progress, index * count, count, (seeds - 1) * count)
        for outcome in run(model, batches_of(model, units, other, None), other, report):
            failures |= outcome.failures
            if outcome.pictures is not None:
                for unit, images in zip(outcome.units, outcome.pictures.images, strict=True):
                    found[unit].append(images[0])
    complete = {unit: images for unit, images in found.items() if unit not in failures}
    return {unit: torch.stack(images) for unit, images in complete.items()}, failures
