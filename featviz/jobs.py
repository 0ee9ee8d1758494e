"""Where a job puts what it finds out about a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError
from featviz.store import Store, StoreWriter
from featviz.store.retire import retire

if TYPE_CHECKING:
    from featviz.models import VisionModel


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
