"""How many pictures fit into one batch."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz._util.device_memory import MEMORY_SHARE, free_memory
from featviz.addressing.address import Unit
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import Recipe

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# A batch of this many keeps every core or multiprocessor busy; more only delay the first results.
ENOUGH = {"cpu": 32, "cuda": 512}


def batch_size(model: VisionModel, unit: Unit, recipe: Recipe, sharing: int = 1) -> int:
    """Choose how many pictures of a unit go into one batch, from the memory that is free.

    One step is made on the unit once and on the unit twice, counting the bytes that the forward
    passes keep for their backward passes: what the second keeps beyond the first is a picture's.
    Pass the deepest unit of a job: it needs the most.

    Parameters
    ----------
    sharing : int
        How many processes like this one share the memory.

    Returns
    -------
    int
        At least 1; of pictures, not of units.
    """
    once, twice = (_kept(model, [unit] * count, recipe) for count in (1, 2))
    each = max(1, (twice - once) // recipe.samples)
    fitting = int(MEMORY_SHARE * free_memory(model.device) / sharing) // each
    return max(1, min(fitting, ENOUGH.get(model.device.type, 32)))


def _kept(model: VisionModel, units: list[Unit], recipe: Recipe) -> int:
    """Count the bytes that a step's forward pass keeps for its backward pass."""
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    # Should it fail, the job itself finds out which unit it is, and how much memory is too much.
    with suppress(Exception), torch.autograd.graph.saved_tensors_hooks(count, lambda kept: kept):
        optimize(model, units, replace(recipe, steps=1))
    return sum(kept.values())
