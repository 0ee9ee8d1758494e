"""The job of `featviz filters`: store filters, their components, and position similarities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.analysis.filters import classes, clusters
from featviz.analysis.filters.components import component_addresses, components
from featviz.analysis.filters.filters import filters_of
from featviz.analysis.filters.first_layer import FirstLayer, first_layer
from featviz.analysis.filters.position_embeddings import patch_positions, similarities
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class _Part:
    """Results of one kind: their addresses, configuration, and how to compute the columns."""

    kind: str
    addresses: list[str]
    configuration: dict[str, Any]
    columns: Callable[[], Columns]


def store_filters(
    model: VisionModel, store: str | Path, force: bool = False
) -> dict[str, JobSummary]:
    """Store a model's filters, their components, and position similarities if it has any.

    Kinds that the store already holds are not computed.

    Parameters
    ----------
    model : VisionModel
    store : str or Path
        The folder; made if it does not exist.
    force : bool
        See `featviz.store.jobs.open_writer`.

    Returns
    -------
    dict of str to JobSummary
        By kind: ``filters``, ``components`` and ``positions``, those that the model has.

    Raises
    ------
    FeatvizError
        If the model's first layer is not a convolution on RGB, or the store cannot take the
        results; see `featviz.store.jobs.open_writer`.
    """
    parts = [part for part in _parts(model, first_layer(model)) if part.addresses]
    # All conflicts are found before anything is stored. With force, opening a later kind may set
    # the store aside under an earlier writer, so all writers are opened again afterwards.
    for part in parts:
        open_writer(model, store, part.kind, part.configuration, force)
    summaries = {}
    for part in parts:
        writer = open_writer(model, store, part.kind, part.configuration)
        is_missing = not writer.done.issuperset(part.addresses)
        if is_missing:
            writer.add(part.columns())
        count = len(part.addresses)
        summaries[part.kind] = JobSummary(count, 0) if is_missing else JobSummary(0, count)
    return summaries


def _parts(model: VisionModel, layer: FirstLayer) -> list[_Part]:
    site = {"site": layer.path}
    clustering = {"seed": clusters.SEED, "starts": clusters.STARTS}
    thresholds = {"strong": classes.STRONG, "classes": classes.THRESHOLDS}
    parts = [
        _Part(
            "filters",
            layer.addresses,
            site | thresholds | {"clusters": clustering},
            lambda: _filters(layer),
        ),
        _Part("components", component_addresses(layer), site, lambda: _components(layer)),
    ]
    positions = patch_positions(model)
    if positions is not None:
        addresses = [f"pos_embed:{n}" for n in range(positions.shape[0] * positions.shape[1])]
        parts.append(
            _Part(
                "positions",
                addresses,
                {"similarity": "cosine"},
                lambda: {
                    "address": addresses,
                    "similarity": similarities(positions).numpy(),
                },
            )
        )
    return parts


def _filters(layer: FirstLayer) -> Columns:
    columns = dict(vars(filters_of(layer)))
    address, name = columns.pop("addresses"), columns.pop("classes")
    # Stores have the British spelling.
    renamed = {{"color": "colour"}.get(key, key): column for key, column in columns.items()}
    return {"address": address, "class": name, **renamed}


def _components(layer: FirstLayer) -> Columns:
    columns = dict(vars(components(layer)))
    return {"address": columns.pop("addresses"), **columns}
