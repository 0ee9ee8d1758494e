"""Pictures of the same units from other seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.optimization.augmentations import Views
from featviz.optimization.recipe import Recipe
from featviz.parametrization.spectrum import of_data
from featviz.rendering.batches import Progress, run
from featviz.rendering.plan import batches_of

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def recipe_of(told: Mapping[str, Any]) -> Recipe:
    """Make the recipe that a store tells of: the reverse of `Recipe.to_json`.

    A spectrum of a dataset is measured again.

    Raises
    ------
    FeatvizError
        If the dataset is gone or has other images now.
    """
    settings = dict(told) | {"views": Views(**told["views"])}
    if "betas" in told:
        settings["betas"] = tuple(told["betas"])
    name, digest = settings.get("spectrum"), settings.pop("spectrum_digest", None)
    if name is not None:
        settings["spectrum"] = of_data(name, settings["size"])
        if settings["spectrum"].digest != digest:
            raise FeatvizError(
                f"{name} has another spectrum than when the pictures were made; without --seeds "
                "they are scored all the same"
            )
    return Recipe(**settings)


def render_again(
    model: VisionModel, units: Sequence[Unit], made: Recipe, seeds: int, progress: Progress
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
        other = replace(made, seed=made.seed + number, samples=1, diversity=0.0)
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
