"""The job of `featviz filters`: filters, their components and position embeddings, into a store."""

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
from featviz.store.jobs import open_writer

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Summary:
    """What a job did: for each kind, how many rows it stored and how many were there."""

    stored: dict[str, int]
    done: dict[str, int]


@dataclass(frozen=True)
class _Part:
    """One kind of result: its rows' addresses, what decides them, and how they are computed."""

    kind: str
    addresses: list[str]
    configuration: dict[str, Any]
    columns: Callable[[], Columns]


def store_filters(model: VisionModel, store: str | Path, force: bool = False) -> Summary:
    """Store a model's filters, their components, and position similarities if it has any.

    Kinds that are in the store are not computed again.

    Raises
    ------
    FeatvizError
        If the model's first layer is no convolution on RGB, or the store cannot take the results;
        see `featviz.store.jobs.open_writer`.
    """
    parts = [part for part in _parts(model, first_layer(model)) if part.addresses]
    # Every refusal comes before any row. With force, opening a later kind may set the store aside
    # under an earlier writer; opened anew, all of them belong to the store that is there now.
    for part in parts:
        open_writer(model, store, part.kind, part.configuration, force)
    summary = Summary({}, {})
    for part in parts:
        writer = open_writer(model, store, part.kind, part.configuration)
        missing = not writer.done.issuperset(part.addresses)
        if missing:
            writer.add(part.columns())
        summary.stored[part.kind] = len(part.addresses) if missing else 0
        summary.done[part.kind] = 0 if missing else len(part.addresses)
    return summary


def _parts(model: VisionModel, layer: FirstLayer) -> list[_Part]:
    alike = {"seed": clusters.SEED, "starts": clusters.STARTS}
    where = {"site": layer.path}
    parts = [
        _Part(
            "filters",
            layer.addresses,
            where | {"strong": classes.STRONG, "classes": classes.THRESHOLDS, "clusters": alike},
            lambda: _filters(layer),
        ),
        _Part("components", component_addresses(layer), where, lambda: _components(layer)),
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
    return {"address": columns.pop("addresses"), "class": columns.pop("classes"), **columns}


def _components(layer: FirstLayer) -> Columns:
    columns = dict(vars(components(layer)))
    return {"address": columns.pop("addresses"), **columns}
