"""Where a job puts what it finds out about a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.store import StoreWriter

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
