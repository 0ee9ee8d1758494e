"""The bulk job: units in, pictures out, into memory or into a store that can be resumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.parametrization.spectrum import Spectrum
from featviz.rendering.background_writer import BackgroundWriter
from featviz.rendering.batches import Outcome, run
from featviz.rendering.engine import Engine, Local
from featviz.rendering.plan import batches_of, check_units, kind_of, plan_missing
from featviz.store.jobs import open_writer

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


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
    tv_weight: float = 0.0,
    precision: str = "auto",
    spectrum: Spectrum | str | None = None,
    frequency_schedule: float | None = None,
    split_qk: bool = False,
    cosine_power: float = 0.0,
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
    samples, steps, preset, seed, param, size, diversity, smoothness, precision, progressive
        See `featviz.optimization.recipe.make_recipe`; None leaves it to the preset and the model.
    spectrum, sides, cosine
        See `featviz.optimization.recipe.make_recipe`.
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
    recipe = make_recipe(
        model,
        preset=preset,
        param=param,
        size=size,
        precision=precision,
        samples=samples,
        diversity=diversity,
        tv_weight=tv_weight,
        steps=steps,
        seed=seed,
        spectrum=spectrum,
        frequency_schedule=frequency_schedule,
        split_qk=split_qk,
        cosine_power=cosine_power,
    )
    units = list(dict.fromkeys(units))
    check_units(model, units, recipe)
    return _gather(
        units, recipe, run(model, batches_of(model, units, recipe, batch), recipe, progress)
    )


def _gather(units: Sequence[Unit], recipe: Recipe, outcomes: Iterable[Outcome]) -> Rendering:
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
        (recipe.samples, *(2,) * recipe.split_qk, recipe.size, recipe.size, 3),
        (recipe.samples,),
        (recipe.samples, recipe.steps),
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


def render_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    store: str | Path,
    batch: int | None = None,
    shard: tuple[int, int] = (0, 1),
    force: bool = False,
    progress: Progress = ignore,
    engine: Engine | None = None,
) -> Summary:
    """Render units into a store, leaving out those that it holds already.

    Every batch is stored as soon as it is made, while the next is rendered, and stays whatever
    happens after. Failed units are recorded, and tried again by the next call.

    Parameters
    ----------
    recipe : Recipe
        See `featviz.optimization.recipe.make_recipe`.
    shard : (int, int)
        Number I of N processes that share the job without talking to each other: each takes
        every N-th unit, and together they take all.
    force : bool
        Set aside, under another name, a store of another model or configuration, and damaged
        shards.
    engine : Engine, optional
        Where batches are rendered, as `featviz.engines.engine_named` makes it; in this process if
        not given. The store is written by this process alone.

    Raises
    ------
    FeatvizError
        If a unit does not exist or, of two sides, is no logit, the store is of another model or
        configuration, damaged, or cannot be written, or the engine cannot start.
    """
    engine = engine or Local()
    check_units(model, units, recipe)
    writer = open_writer(model, store, kind_of(recipe), recipe.to_json(), force)
    todo = plan_missing(model, units, recipe, writer.done, batch, shard, engine.batch_size)
    outcomes = engine.run(model, todo.batches, recipe, progress)
    rendered, failures = 0, dict[Unit, str]()
    with BackgroundWriter(writer) as behind, closing(outcomes):
        for outcome in outcomes:
            if outcome.pictures is not None:
                behind.add(
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
                reasons = list(outcome.failures.values())
                behind.add({"address": addresses, "error": reasons}, "failures")
    return Summary(rendered, todo.done, failures)
