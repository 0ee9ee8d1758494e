"""The batch size that fits into memory."""

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

# A batch of this size keeps every core or multiprocessor busy; a larger one only delays the first
# results.
ENOUGH = {"cpu": 32, "cuda": 512}


def batch_size(model: VisionModel, unit: Unit, recipe: Recipe, processes: int = 1) -> int:
    """Choose the number of pictures per batch from the free memory; see `bytes_per_picture`.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
        The deepest of a job, which needs the most memory.
    recipe : Recipe
    processes : int
        Number of processes like this one that share the memory.

    Returns
    -------
    int
        At least 1; counts pictures, not units.
    """
    each = bytes_per_picture(model, unit, recipe)
    fitting = int(MEMORY_SHARE * free_memory(model.device) / processes) // each
    return max(1, min(fitting, ENOUGH.get(model.device.type, 32)))


def bytes_per_picture(model: VisionModel, unit: Unit, recipe: Recipe) -> int:
    """Measure the bytes that a step saves for its backward pass, for each picture of a batch.

    One step is run with the unit once and twice: the difference is what one unit needs.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
    recipe : Recipe

    Returns
    -------
    int
        At least 1.
    """
    once, twice = (_saved_bytes(model, [unit] * count, recipe) for count in (1, 2))
    return max(1, (twice - once) // recipe.samples)


def _saved_bytes(model: VisionModel, units: list[Unit], recipe: Recipe) -> int:
    """Count the bytes that the forward pass of a step saves for its backward pass."""
    saved: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    # If it fails, the job itself finds the unit that fails, or the batch size that fits.
    with suppress(Exception), torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
        optimize(model, units, replace(recipe, steps=1))
    return sum(saved.values())
