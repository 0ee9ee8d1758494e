"""What a bulk job has to do: which units are missing, in which batches, and how many bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from featviz.batches import split
from featviz.errors import FeatvizError
from featviz.memory import batch_size
from featviz.recipes import Recipe
from featviz.store import ADVICE, Store
from featviz.units import Unit, check_logits, sites_of

if TYPE_CHECKING:
    from featviz.models import VisionModel

# What a shard takes besides its arrays, and besides for each picture, in bytes (measured).
SHARD_OVERHEAD, PICTURE_OVERHEAD = 1_900, 28


@dataclass(frozen=True)
class Plan:
    """What a job has to do.

    Attributes
    ----------
    batches : list of lists of units
        Each batch shares a layer.
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
    made: Recipe,
    store: str | Path,
    batch: int | None = None,
    shard: tuple[int, int] = (0, 1),
    force: bool = False,
) -> Plan:
    """Say what `render_to_store` would do with the same arguments; nothing is written.

    The bytes of the shards that are there are not compared.

    Raises
    ------
    FeatvizError
        If a unit does not exist or, of two sides, is no logit, or the store is of another model or
        configuration.
    """
    check_units(model, units, made)
    there: set[str] = set()
    if Path(store, "store.json").exists():
        opened = Store(store)
        conflict = opened.manifest.conflict(
            model.name, model.fingerprint, kind_of(made), made.to_json()
        )
        if conflict and not force:
            raise FeatvizError(f"{store} {conflict}{ADVICE}")
        there = set() if conflict else set(opened.addresses(kind_of(made)))
    return plan_missing(model, units, made, there, batch, shard)


def kind_of(made: Recipe) -> str:
    """Name the kind of result that a recipe makes."""
    return "sides" if made.sides else "renders"


def check_units(model: VisionModel, units: Sequence[Unit], made: Recipe) -> None:
    """Refuse units that the model has not and, of two sides, those that are no logits.

    Raises
    ------
    FeatvizError
        Naming the first such unit.
    """
    for unit in units:
        sites_of(model, unit)
    if made.sides:
        check_logits(model, units)


def plan_missing(
    model: VisionModel,
    units: Sequence[Unit],
    made: Recipe,
    there: set[str] | frozenset[str],
    batch: int | None,
    shard: tuple[int, int],
) -> Plan:
    """Plan a job of which some addresses are there; see `plan`."""
    number, count = shard
    mine = list(dict.fromkeys(units))[number % count :: count]
    missing = [unit for unit in mine if str(unit) not in there]
    batches = batches_of(model, missing, made, batch)
    pictures = len(missing) * made.samples
    each = (1 + made.sides) * 3 * made.size**2 + 4 * made.steps + 4 + PICTURE_OVERHEAD
    size = pictures * each + len(batches) * SHARD_OVERHEAD
    return Plan(batches, len(mine) - len(missing), pictures, size)


def batches_of(
    model: VisionModel, units: Sequence[Unit], made: Recipe, batch: int | None
) -> list[list[Unit]]:
    """Cut units into batches of pictures that fit into memory, or of `batch` pictures."""
    if not units:
        return []
    if batch is None:
        order = {site.path: number for number, site in enumerate(model.sites.values())}
        deepest = max(
            units, key=lambda unit: max(order[site.path] for site in sites_of(model, unit))
        )
        batch = batch_size(model, deepest, made)
    return split(model, units, max(1, batch // made.samples))
