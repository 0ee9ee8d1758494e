"""Where a job puts what it finds out about a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError
from featviz.optimization.recipe import Recipe
from featviz.rendering.plan import kind_of
from featviz.store.manifest import NAME, Manifest
from featviz.store.reader import Store
from featviz.store.retire import retire
from featviz.store.writer import StoreWriter

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def open_writer(
    model: VisionModel,
    store: str | Path,
    kind: str,
    configuration: Mapping[str, Any],
    force: bool = False,
) -> StoreWriter:
    """Open a store to add results of one kind about a model; see `StoreWriter`.

    Raises
    ------
    FeatvizError
        If the store is of another model or configuration, damaged, or cannot be written.
    """
    return StoreWriter(
        store,
        model=model.name,
        fingerprint=model.fingerprint,
        load={"untrained": model.untrained, "arch": model.arch},
        sites=list(model.sites),
        kind=kind,
        configuration=configuration,
        force=force,
    )


def keep_precision(model: VisionModel, made: Recipe, store: str | Path) -> Recipe:
    """Give a recipe the precision that a store's pictures have, where nobody has named one.

    Which precision is the fastest differs from machine to machine, and a store has one. Without
    this, a job that was begun on another kind of machine could not go on here.

    Parameters
    ----------
    made : Recipe
        With the precision that is the fastest here.
    store : str or Path
        A folder, which need not be there yet.

    Returns
    -------
    Recipe
        The same where the store has no pictures of this kind, or differs in more.
    """
    if not Path(store, NAME).exists():
        return made
    try:
        manifest = Manifest.read(Path(store))
    except FeatvizError:
        return made  # whoever writes there tells what is wrong
    kind = kind_of(made)
    kept = replace(made, precision=manifest.configuration.get(kind, {}).get("precision", ""))
    fits = not manifest.conflict(model.name, model.fingerprint, kind, kept.to_json())
    return kept if fits and kind in manifest.configuration else made


def make_room(
    model: VisionModel,
    store: Store,
    kind: str,
    configuration: Mapping[str, Any],
    force: bool = False,
) -> None:
    """Refuse results of another configuration beside the pictures they are of, or retire them.

    For kinds that are computed from what the store holds: `open_writer` would set the whole store
    aside, pictures and all.

    Parameters
    ----------
    force : bool
        Rename the shards of this kind that are in the way; see `featviz.store.retire.retire`.

    Raises
    ------
    FeatvizError
        If the store is of another model, or has results of this kind of another configuration and
        `force` is not given.
    """
    identity = (model.name, model.fingerprint)
    if conflict := store.manifest.conflict(*identity, "", {}):
        raise FeatvizError(f"{store.path} {conflict}")
    if conflict := store.manifest.conflict(*identity, kind, configuration):
        if not force:
            raise FeatvizError(f"{store.path} {conflict}; --force sets these {kind} aside")
        retire(store.path, kind)
