"""What a bulk job has to do: which units are missing, in which batches, and how many bytes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from featviz.addressing.address import Unit
from featviz.addressing.selectors import check_logits, sites_of
from featviz.errors import FeatvizError
from featviz.optimization.recipe import Recipe
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import split
from featviz.store.manifest import NAME, Manifest
from featviz.store.reader import Store
from featviz.store.writer import ADVICE

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


T = TypeVar("T")
BatchSize = Callable[["VisionModel", Unit, Recipe], int]
"""Chooses how many pictures go into a batch, as `featviz.rendering.batch_size.batch_size` does."""

# What a shard takes besides its arrays, and besides for each picture, in bytes (measured).
SHARD_OVERHEAD, PICTURE_OVERHEAD = 1_900, 28


@dataclass(frozen=True)
class Plan:
    """What a job has to do.

    Attributes
    ----------
    batches : list of lists of units
        Each batch shares a layer. Layers take turns, so that whenever the job is stopped about
        as many units of each are done, and the layers already done cost what the others will.
    done : int
        Units that the store holds already.
    pictures : int
        Pictures to make.
    bytes : int
        What they will take in the store, within a few per cent.
    """

    batches: list[list[Unit]]
    done: int
    pictures: int
    bytes: int


def plan(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    store: str | Path,
    batch: int | None = None,
    shard: tuple[int, int] = (0, 1),
    force: bool = False,
    size_of: BatchSize = batch_size,
) -> Plan:
    """Say what `render_to_store` would do with the same arguments; nothing is written.

    The bytes of the shards that are there are not compared.

    Raises
    ------
    FeatvizError
        If a unit does not exist or, of two sides, is no logit, or the store is of another model or
        configuration.
    """
    check_units(model, units, recipe)
    there: set[str] = set()
    if Path(store, "store.json").exists():
        opened = Store(store)
        conflict = opened.manifest.conflict(
            model.name, model.fingerprint, kind_of(recipe), recipe.to_json()
        )
        if conflict and not force:
            raise FeatvizError(f"{store} {conflict}{ADVICE}")
        there = set() if conflict else set(opened.addresses(kind_of(recipe)))
    return plan_missing(model, units, recipe, there, batch, shard, size_of)


def kind_of(recipe: Recipe) -> str:
    """Name the kind of result that a recipe makes."""
    return "sides" if recipe.split_qk else "renders"


def check_units(model: VisionModel, units: Sequence[Unit], recipe: Recipe) -> None:
    """Refuse units that the model has not and, of two sides, those that are no logits.

    Raises
    ------
    FeatvizError
        Naming the first such unit.
    """
    for unit in units:
        sites_of(model, unit)
    if recipe.split_qk:
        check_logits(model, units)


def plan_missing(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    there: set[str] | frozenset[str],
    batch: int | None,
    shard: tuple[int, int],
    size_of: BatchSize = batch_size,
) -> Plan:
    """Plan a job of which some addresses are there; see `plan`."""
    number, count = shard
    mine = list(dict.fromkeys(units))[number % count :: count]
    missing = [unit for unit in mine if str(unit) not in there]
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
    """Cut units into batches of pictures that fit into memory, or of `batch` pictures.

    Layers take turns, from the middle of the model outwards; see `take_turns`.
    """
    if not units:
        return []
    if batch is None:
        deepest = max(units, key=lambda unit: depth(model, unit))
        batch = size_of(model, deepest, recipe)
    layers: dict[int, list[list[Unit]]] = {}
    for some in split(model, units, max(1, batch // recipe.samples)):
        layers.setdefault(depth(model, some[0]), []).append(some)
    return take_turns([layers[number] for number in sorted(layers)])


def depth(model: VisionModel, unit: Unit) -> int:
    """Return how many sites of the model a forward pass reaches before that of a unit."""
    order = {path: number for number, path in enumerate(model.sites)}
    return max(order[site.path] for site in sites_of(model, unit))


def take_turns(layers: Sequence[Sequence[T]]) -> list[T]:
    """Take the first batch of each layer, then the second of each, and so on.

    A deep layer costs many times what a shallow one does. In a turn, the middle layer comes first,
    then those halfway from it to either end, then those between, so that the batches done cost on
    average about what those to come will, and the speed so far tells the time left.
    """
    turns = itertools.zip_longest(*_from_the_middle(layers))
    return [batch for turn in turns for batch in turn if batch is not None]


def _from_the_middle(layers: Sequence[T]) -> list[T]:
    ordered, parts = [], deque([layers])
    while parts:
        part = parts.popleft()
        if part:
            middle = len(part) // 2
            ordered.append(part[middle])
            parts += [part[:middle], part[middle + 1 :]]
    return ordered


def keep_precision(model: VisionModel, recipe: Recipe, store: str | Path) -> Recipe:
    """Give a recipe the precision that a store's pictures have, where nobody has named one.

    Which precision is the fastest differs from machine to machine, and a store has one. Without
    this, a job that was begun on another kind of machine could not go on here.

    Parameters
    ----------
    recipe : Recipe
        With the precision that is the fastest here.
    store : str or Path
        A folder, which need not be there yet.

    Returns
    -------
    Recipe
        The same where the store has no pictures of this kind, or differs in more.
    """
    if not Path(store, NAME).exists():
        return recipe
    try:
        manifest = Manifest.read(Path(store))
    except FeatvizError:
        return recipe  # whoever writes there tells what is wrong
    kind = kind_of(recipe)
    kept = replace(recipe, precision=manifest.configuration.get(kind, {}).get("precision", ""))
    fits = not manifest.conflict(model.name, model.fingerprint, kind, kept.to_json())
    return kept if fits and kind in manifest.configuration else recipe
