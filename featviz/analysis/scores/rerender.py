"""Pictures of the same units from other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz._util.progress import Progress
from featviz.addressing.address import Unit
from featviz.optimization.recipe import Recipe
from featviz.rendering.batches import run
from featviz.rendering.plan import batches_of

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def render_again(
    model: VisionModel, units: Sequence[Unit], recipe: Recipe, seeds: int, progress: Progress
) -> tuple[dict[Unit, Tensor], dict[Unit, str]]:
    """Render units by the same recipe from the seeds that follow its own, one picture each.

    Parameters
    ----------
    seeds : int
        How many in all, the one of the recipe included.

    Returns
    -------
    pictures : dict of Unit to Tensor of uint8, shape (seeds - 1, H, W, 3)
        Of the units of which every picture succeeded.
    failures : dict of Unit to str
        The others, and why.
    """
    found: dict[Unit, list[Tensor]] = {unit: [] for unit in units}
    failures: dict[Unit, str] = {}
    for number in range(1, seeds):
        other = replace(recipe, seed=recipe.seed + number, samples=1, diversity=0.0)
        before, batches = number - 1, batches_of(model, units, other, None)

        def told(finished: float, total: int, before: int = before) -> None:
            progress(before * total + finished, (seeds - 1) * total)

        for outcome in run(model, batches, other, told):
            failures |= outcome.failures
            if outcome.pictures is not None:
                for unit, images in zip(outcome.units, outcome.pictures.images, strict=True):
                    found[unit].append(images[0])
    whole = {unit: images for unit, images in found.items() if unit not in failures}
    return {unit: torch.stack(images) for unit, images in whole.items()}, failures
