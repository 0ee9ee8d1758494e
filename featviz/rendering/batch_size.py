"""How many pictures fit into one batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import Recipe

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# A batch of this many keeps every core or multiprocessor busy; more only delay the first results.
ENOUGH = {"cpu": 32, "cuda": 512}
# Where Linux tells of control groups, and of which one this process is a member.
GROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# Share of the free memory that a batch's saved activations may take; the rest is for temporaries.
SHARE = 0.4


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
    fitting = int(SHARE * free_memory(model.device) / sharing) // each
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


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device now, within the limit of a container."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    return min([free, *_within_groups(GROUPS, MEMBERSHIP)])


def _within_groups(groups: Path, membership: Path) -> Iterator[int]:
    """Tell how much the control group of this process, and each around it, leaves it.

    Pages of files that were not used lately count as free: the kernel drops them when memory is
    asked for, as those that ``MemAvailable`` counts.

    Source: "Control Group v2" in the Linux kernel's documentation. Of version 1 nothing is told.
    """
    lines = membership.read_text().splitlines() if membership.exists() else []
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    # What is outside the container's own view is named with dots, and cannot be seen.
    inner = groups / own.lstrip("/")
    for group in (inner, *inner.parents):
        if not group.is_relative_to(groups):
            return
        limit, used, told = (group / f"memory.{name}" for name in ("max", "current", "stat"))
        if not (limit.exists() and used.exists()):
            continue
        most = limit.read_text().strip()
        if most != "max":
            stat = dict(line.split() for line in told.read_text().splitlines())
            yield int(most) - int(used.read_text()) + int(stat["inactive_file"])


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that a smaller batch might do."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    signs = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
