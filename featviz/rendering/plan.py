"""The plan of a job: which units are missing, in which batches, and how many bytes they take."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from featviz.addressing.address import Unit
from featviz.addressing.selectors import check_logits, sites_of
from featviz.optimization.recipe import Recipe
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import split

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


T = TypeVar("T")
BatchSize = Callable[["VisionModel", Unit, Recipe], int]
"""Chooses the number of pictures per batch, as `featviz.rendering.batch_size.batch_size` does."""

# Bytes of a shard, and of each picture in it, besides the arrays (measured).
SHARD_OVERHEAD, PICTURE_OVERHEAD = 1_900, 28


@dataclass(frozen=True)
class Plan:
    """What a job has to do.

    Attributes
    ----------
    batches : list of lists of Unit
        The units of a batch share a site. Layers alternate, so that an interrupted job has rendered
        about as many units of each, and the elapsed time predicts the time left.
    done : int
        Units that the store already holds.
    pictures : int
        Pictures to render.
    bytes : int
        Their size in the store, to within a few per cent.
    """

    batches: list[list[Unit]]
    done: int
    pictures: int
    bytes: int


def check_units(model: VisionModel, units: Sequence[Unit], recipe: Recipe) -> None:
    """Check that units can be rendered by a recipe.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
    recipe : Recipe

    Raises
    ------
    FeatvizError
        That names the first unit that the model does not have or, with `split_qk`, that is not a
        query-key logit.
    """
    for unit in units:
        sites_of(model, unit)
    if recipe.split_qk:
        check_logits(model, units)


def plan_missing(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    done: set[str] | frozenset[str],
    batch: int | None,
    shard: tuple[int, int],
    size_of: BatchSize = batch_size,
) -> Plan:
    """Plan a job of which some units are done.

    Parameters
    ----------
    model, units, recipe, batch, shard
        See `featviz.rendering.job.render_to_store`.
    done : set of str
        Addresses that the store already holds.
    size_of : callable
        Chooses the batch size if `batch` is None.

    Returns
    -------
    Plan
    """
    index, count = shard
    mine = list(dict.fromkeys(units))[index % count :: count]
    missing = [unit for unit in mine if str(unit) not in done]
    batches = batches_of(model, missing, recipe, batch, size_of)
    pictures = len(missing) * recipe.samples
    each = (1 + recipe.split_qk) * 3 * recipe.size**2 + 4 * recipe.steps + 4 + PICTURE_OVERHEAD
    size = pictures * each + len(batches) * SHARD_OVERHEAD
    return Plan(batches, len(mine) - len(missing), pictures, size)


def batches_of(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    batch: int | None,
    size_of: BatchSize = batch_size,
) -> list[list[Unit]]:
    """Divide units into batches.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
    recipe : Recipe
    batch : int or None
        Pictures per batch; None for as many as fit into memory.
    size_of : callable
        Chooses the batch size if `batch` is None.

    Returns
    -------
    list of lists of Unit
        In the order of `interleave`.
    """
    if not units:
        return []
    if batch is None:
        deepest = max(units, key=lambda unit: depth(model, unit))
        batch = size_of(model, deepest, recipe)
    layers: dict[int, list[list[Unit]]] = {}
    for some in split(model, units, max(1, batch // recipe.samples)):
        layers.setdefault(depth(model, some[0]), []).append(some)
    return interleave([layers[index] for index in sorted(layers)])


def depth(model: VisionModel, unit: Unit) -> int:
    """Return the number of sites that a forward pass reaches before that of `unit`.

    See `VisionModel.sites` for their order.
    """
    order = {path: index for index, path in enumerate(model.sites)}
    return max(order[site.path] for site in sites_of(model, unit))


def interleave(layers: Sequence[Sequence[T]]) -> list[T]:
    """Take the first batch of each layer, then the second of each, and so on.

    A deep layer takes many times as long as a shallow one. In each round the middle layer comes
    first, then those halfway from it to either end, then those in between, so that the batches
    that are done take on average as long as those to come, and the speed so far predicts the time
    left.

    Parameters
    ----------
    layers : sequence of sequences
        The batches of each layer, from the shallowest on.

    Returns
    -------
    list
        All batches.
    """
    rounds = itertools.zip_longest(*_from_the_middle(layers))
    return [batch for each in rounds for batch in each if batch is not None]


def _from_the_middle(layers: Sequence[T]) -> list[T]:
    ordered, parts = [], deque([layers])
    while parts:
        part = parts.popleft()
        if part:
            middle = len(part) // 2
            ordered.append(part[middle])
            parts += [part[:middle], part[middle + 1 :]]
    return ordered
