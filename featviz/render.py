"""The bulk job: units in, pictures out, into memory or into a store that can be resumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from featviz.batches import Outcome, Progress, ignore, run, split
from featviz.errors import FeatvizError
from featviz.jobs import open_writer
from featviz.memory import batch_size
from featviz.recipes import Recipe, recipe
from featviz.spectrum import Spectrum
from featviz.store import ADVICE, Store
from featviz.units import Unit, check_logits, sites_of

if TYPE_CHECKING:
    from featviz.models import VisionModel

# What a shard takes besides its arrays, and besides for each picture, in bytes (measured).
SHARD_OVERHEAD, PICTURE_OVERHEAD = 1_900, 28


@dataclass(frozen=True)
class Rendering:
    """Pictures of units, in memory.

    Attributes
    ----------
    units : list of Unit
        N units: those asked for, in that order, without the failed ones.
    images : uint8 array, shape (N, D, H, W, 3)
        D samples of each. Of two sides (N, D, 2, H, W, 3): the query's, and the key's.
    activation : float32 array, shape (N, D)
        Value of the unit on the picture as it stands here, without views.
    trajectory : float32 array, shape (N, D, steps)
        Value of the unit on the view of each step.
    failures : dict of unit to str
        Units that could not be rendered, and why.
    """

    units: list[Unit]
    images: npt.NDArray[np.uint8]
    activation: npt.NDArray[np.float32]
    trajectory: npt.NDArray[np.float32]
    failures: dict[Unit, str]


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


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    rendered : int
        Units rendered and stored by this call.
    done : int
        Units that the store held before.
    failures : dict of unit to str
        Units that failed in this call, and why.
    """

    rendered: int
    done: int
    failures: dict[Unit, str]


def render(  # noqa: PLR0913  one call with every setting of a recipe
    model: VisionModel,
    units: Sequence[Unit],
    samples: int = 1,
    steps: int = 512,
    preset: str | None = None,
    seed: int = 0,
    *,
    param: str | None = None,
    size: int | None = None,
    diversity: float = 0.5,
    smoothness: float = 0.0,
    precision: str = "auto",
    spectrum: Spectrum | str | None = None,
    progressive: float = 0.0,
    sides: bool = False,
    cosine: float = 0.0,
    batch: int | None = None,
    progress: Progress = ignore,
) -> Rendering:
    """Render units and return the pictures.

    Parameters
    ----------
    model : VisionModel
        As `featviz.load` gives it.
    units : sequence of Unit
        As `featviz.units` gives them, of any sites.
    samples, steps, preset, seed, param, size, diversity, smoothness, precision
        See `featviz.recipes.recipe`; None leaves it to the preset and the model.
    spectrum, progressive, sides, cosine
        See `featviz.recipes.recipe`.
    batch : int, optional
        Pictures in a batch; chosen from the free memory if not given. It does not change the
        pictures.
    progress : callable
        Told before every batch and after every step how many pictures are finished, counting
        parts, and how many there will be.

    Raises
    ------
    FeatvizError
        If a unit does not exist or, of two sides, is no logit, or a setting is out of range.
    """
    made = recipe(
        model,
        preset=preset,
        param=param,
        size=size,
        precision=precision,
        samples=samples,
        diversity=diversity,
        smoothness=smoothness,
        steps=steps,
        seed=seed,
        spectrum=spectrum,
        progressive=progressive,
        sides=sides,
        cosine=cosine,
    )
    units = list(dict.fromkeys(units))
    _check(model, units, made)
    return _gather(units, made, run(model, _batches(model, units, made, batch), made, progress))


def _gather(units: Sequence[Unit], made: Recipe, outcomes: Iterable[Outcome]) -> Rendering:
    """Put the pictures of all batches into the order of the units."""
    rows: dict[Unit, tuple[npt.NDArray[np.generic], ...]] = {}
    failures: dict[Unit, str] = {}
    for outcome in outcomes:
        failures |= outcome.failures
        if outcome.pictures is not None:
            found = outcome.pictures
            columns = (found.images, found.activation, found.trajectory)
            arrays = (column.numpy() for column in columns)
            rows |= dict(zip(outcome.units, zip(*arrays, strict=True), strict=True))
    kept = [unit for unit in units if unit in rows]
    shapes = (
        (made.samples, *(2,) * made.sides, made.size, made.size, 3),
        (made.samples,),
        (made.samples, made.steps),
    )
    images, activation, trajectory = (
        np.stack([rows[unit][column] for unit in kept]) if kept else np.zeros((0, *shape))
        for column, shape in enumerate(shapes)
    )
    return Rendering(
        kept,
        images.astype(np.uint8, copy=False),
        activation.astype(np.float32, copy=False),
        trajectory.astype(np.float32, copy=False),
        failures,
    )


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
    _check(model, units, made)
    there: set[str] = set()
    if Path(store, "store.json").exists():
        opened = Store(store)
        conflict = opened.manifest.conflict(
            model.name, model.fingerprint, kind_of(made), made.to_json()
        )
        if conflict and not force:
            raise FeatvizError(f"{store} {conflict}{ADVICE}")
        there = set() if conflict else set(opened.addresses(kind_of(made)))
    return _plan(model, units, made, there, batch, shard)


def render_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    made: Recipe,
    store: str | Path,
    batch: int | None = None,
    shard: tuple[int, int] = (0, 1),
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Render units into a store, leaving out those that it holds already.

    Every batch is stored as soon as it is made, and stays whatever happens after. Failed units are
    recorded, and tried again by the next call.

    Parameters
    ----------
    made : Recipe
        See `featviz.recipes.recipe`.
    shard : (int, int)
        Number I of N processes that share the job without talking to each other: each takes
        every N-th unit, and together they take all.
    force : bool
        Set aside, under another name, a store of another model or configuration, and damaged
        shards.

    Raises
    ------
    FeatvizError
        If a unit does not exist or, of two sides, is no logit, or the store is of another model or
        configuration, damaged, or cannot be written.
    """
    _check(model, units, made)
    writer = open_writer(model, store, kind_of(made), made.to_json(), force)
    todo = _plan(model, units, made, writer.done, batch, shard)
    rendered, failures = 0, dict[Unit, str]()
    for outcome in run(model, todo.batches, made, progress):
        if outcome.pictures is not None:
            writer.add(
                {
                    "address": [str(unit) for unit in outcome.units],
                    "images": outcome.pictures.images.numpy(),
                    "activation": outcome.pictures.activation.numpy(),
                    "trajectory": outcome.pictures.trajectory.numpy(),
                }
            )
            rendered += len(outcome.units)
        if outcome.failures:
            failures |= outcome.failures
            addresses = [str(unit) for unit in outcome.failures]
            writer.add({"address": addresses, "error": list(outcome.failures.values())}, "failures")
    return Summary(rendered, todo.done, failures)


def kind_of(made: Recipe) -> str:
    """Name the kind of result that a recipe makes."""
    return "sides" if made.sides else "renders"


def _check(model: VisionModel, units: Sequence[Unit], made: Recipe) -> None:
    """Refuse units that the model has not and, of two sides, those that are no logits."""
    for unit in units:
        sites_of(model, unit)
    if made.sides:
        check_logits(model, units)


def _plan(
    model: VisionModel,
    units: Sequence[Unit],
    made: Recipe,
    there: set[str] | frozenset[str],
    batch: int | None,
    shard: tuple[int, int],
) -> Plan:
    number, count = shard
    mine = list(dict.fromkeys(units))[number % count :: count]
    missing = [unit for unit in mine if str(unit) not in there]
    batches = _batches(model, missing, made, batch)
    pictures = len(missing) * made.samples
    each = (1 + made.sides) * 3 * made.size**2 + 4 * made.steps + 4 + PICTURE_OVERHEAD
    size = pictures * each + len(batches) * SHARD_OVERHEAD
    return Plan(batches, len(mine) - len(missing), pictures, size)


def _batches(
    model: VisionModel, units: Sequence[Unit], made: Recipe, batch: int | None
) -> list[list[Unit]]:
    if not units:
        return []
    if batch is None:
        order = {site.path: number for number, site in enumerate(model.sites.values())}
        deepest = max(
            units, key=lambda unit: max(order[site.path] for site in sites_of(model, unit))
        )
        batch = batch_size(model, deepest, made)
    return split(model, units, max(1, batch // made.samples))
