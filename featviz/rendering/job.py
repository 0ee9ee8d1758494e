"""Rendering units into a store: the job, its plan, and what makes it resumable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from featviz._util.arguments import whole_number
from featviz._util.images import from_uint8, resize
from featviz._util.progress import Progress, as_progress
from featviz.activations.latent_ranks import is_latent, latent_ranks
from featviz.addressing.address import Unit
from featviz.addressing.selectors import Chosen, as_units
from featviz.errors import FeatvizError
from featviz.optimization.recipe import CONSTANTS, Recipe
from featviz.rendering.background_writer import BackgroundWriter
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import Outcome
from featviz.rendering.engine import Engine, Local
from featviz.rendering.plan import BatchSize, Plan, check_units, plan_missing
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer
from featviz.store.manifest import NAME, Manifest
from featviz.store.reader import Store
from featviz.store.writer import ADVICE

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def render_to_store(
    model: VisionModel,
    units: Chosen,
    recipe: Recipe,
    store: str | Path,
    batch: int | None = None,
    shard: tuple[int, int] = (0, 1),
    force: bool = False,
    progress: Progress | bool = False,
    engine: Engine | None = None,
) -> JobSummary:
    """Render units into a store, except those that it already holds.

    Every batch is stored as soon as it is finished, while the next one is rendered. Units that
    fail are recorded, and tried again by the next call.

    Parameters
    ----------
    model : VisionModel
    units : Unit, str, or iterable of these
        A text is a selector, see `featviz.units`.
    recipe : Recipe
        See `featviz.optimization.recipe.make_recipe`.
    store : str or Path
        Folder of the store; created if it does not exist.
    batch, progress
        See `featviz.rendering.render.render`.
    shard : (int, int)
        Index I of N processes that share the job without communicating: each renders every N-th
        unit, and together they render all.
    force : bool
        Rename a store of another model or configuration, and damaged shards, which are refused
        otherwise.
    engine : Engine, optional
        Where batches are rendered, as `featviz.rendering.engine.make_engine` returns it; in this
        process if not given. The store is written by this process alone.

    Returns
    -------
    JobSummary

    Raises
    ------
    FeatvizError
        If a unit does not exist or, with `split_qk`, is not a query-key logit; if the store is of
        another model or configuration, damaged, or cannot be written; or if the engine cannot
        start.
    """
    progress = as_progress(progress)
    engine = engine or Local()
    units = as_units(model, units)
    check_units(model, units, recipe)
    batch = None if batch is None else whole_number("batch", batch, 1)
    writer = open_writer(model, store, recipe.kind, recipe.to_json(), force)
    todo = plan_missing(model, units, recipe, writer.done, batch, shard, engine.batch_size)
    outcomes = engine.run(model, todo.batches, recipe, progress)
    stored, failures, constants = 0, dict[str, str](), dict[str, str]()
    with BackgroundWriter(writer) as background, closing(outcomes):
        for outcome in outcomes:
            if outcome.constants:
                # Before the pictures, so that no crash leaves a picture without its explanation.
                found = {str(unit): reason for unit, reason in outcome.constants.items()}
                background.add(
                    {"address": list(found), "reason": list(found.values())}, "constants"
                )
                constants |= found
            if latents := _latent_columns(model, outcome):
                background.add(latents, "latents")
            if outcome.pictures is not None:
                background.add(
                    {
                        "address": [str(unit) for unit in outcome.units],
                        "images": outcome.pictures.images.numpy(),
                        "activation": outcome.pictures.activation.numpy(),
                        "trajectory": outcome.pictures.trajectory.numpy(),
                    }
                )
                stored += len(outcome.units)
            if outcome.failures:
                failed = {str(unit): reason for unit, reason in outcome.failures.items()}
                background.add(
                    {"address": list(failed), "error": list(failed.values())}, "failures"
                )
                failures |= failed
    return JobSummary(stored, todo.done, failures, constants=constants)


def _latent_columns(model: VisionModel, outcome: Outcome) -> Columns | None:
    """Return the rows of kind ``latents`` of an outcome; None without latents."""
    pictures = outcome.pictures
    rows = [row for row, unit in enumerate(outcome.units) if is_latent(model, unit)]
    if not rows or pictures is None:
        return None
    images = pictures.images[rows]
    samples = images.shape[1]
    found = latent_ranks(
        model,
        [outcome.units[row] for row in rows for _ in range(samples)],
        resize(from_uint8(images.flatten(0, 1)).to(model.device), model.image_size),
    )
    return {
        "address": [str(outcome.units[row]) for row in rows],
        "latent": found.latents.view(-1, samples).float().cpu().numpy(),
        "rank": found.ranks.view(-1, samples).int().cpu().numpy(),
    }


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
    """Plan what `render_to_store` would do with the same arguments; nothing is written.

    The digests of existing shards are not verified.

    Parameters
    ----------
    model, units, recipe, store, batch, shard, force
        See `render_to_store`.
    size_of : callable
        Chooses the batch size if `batch` is None.

    Returns
    -------
    Plan

    Raises
    ------
    FeatvizError
        If a unit does not exist or, with `split_qk`, is not a query-key logit, or the store is of
        another model or configuration.
    """
    check_units(model, units, recipe)
    done: set[str] = set()
    if Path(store, NAME).exists():
        opened = Store(store)
        identity = model.name, model.fingerprint, model.load_options.to_json()
        conflict = opened.manifest.conflict(*identity, recipe.kind, recipe.to_json())
        if conflict and not force:
            raise FeatvizError(f"{store} {conflict}{ADVICE}")
        done = set() if conflict else set(opened.addresses(recipe.kind))
    return plan_missing(model, units, recipe, done, batch, shard, size_of)


def keep_defaults(
    model: VisionModel, recipe: Recipe, store: str | Path, given: Collection[str] = ()
) -> Recipe:
    """Give a recipe the defaults of the pictures that a store already holds.

    Defaults differ between versions, and the fastest precision between machines. Without this, a
    job that was started with other ones could not be continued.

    Parameters
    ----------
    model : VisionModel
    recipe : Recipe
    store : str or Path
        A folder, which need not exist.
    given : collection of str
        Of ``"precision"`` and ``"frequency_schedule"``, those that are not defaults. The constants
        of a preset always are.

    Returns
    -------
    Recipe
        Unchanged if the store holds no pictures of this kind, or differs in other settings.
    """
    if not Path(store, NAME).exists() or recipe.own_parts:
        return recipe
    try:
        manifest = Manifest.read(Path(store))
        stored = dict(manifest.configuration[recipe.kind])
        # The spectrum is no default; measuring it again takes long.
        before = Recipe.from_json(stored | {"spectrum": None})
    except (FeatvizError, KeyError, TypeError):
        return recipe  # opening the store to write raises what is wrong with it
    names = {*CONSTANTS, "precision", "frequency_schedule"} - set(given)
    kept = replace(recipe, **{name: getattr(before, name) for name in names})
    identity = model.name, model.fingerprint, model.load_options.to_json()
    fits = not manifest.conflict(*identity, recipe.kind, kept.to_json())
    return kept if fits else recipe
