"""Section of circuits: their graphs, faithfulness, and the edges that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section, SectionContext
from gallery.stores.merge import Group

CIRCUITS, EDGES, CURVES, EFFECTS = "circuits", "circuit_edges", "circuit_curves", "edge_effects"
GRAPH = ("senders", "receivers", "groups")
"""Settings that name the parts of the graph, whose indices an edge has."""

METHODS = ("edges", "components", "random")
"""The circuits of the first are drawn; others are compared with it."""


@dataclass
class _Search:
    """Rows of one configuration; circuits are those of the first method."""

    circuits: list[Row] = field(default_factory=list)
    edges: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    effects: dict[str, Any] = field(default_factory=dict)

    def finish(self) -> bool:
        """Put the rows in order; return whether they are complete."""
        self.circuits.sort(key=lambda row: int(row["place"]))
        self.edges.sort(key=lambda row: int(row["place"]))
        self.curves.sort(key=lambda row: METHODS.index(row["address"]))
        counts = [int(row["count"]) for row in self.circuits]
        return bool(self.edges and self.curves) and self.curves[0]["counts"].tolist() == counts


class Circuits(Section):
    """Circuits of each configuration, such as those of several cues.

    Of a circuit, the edges that the store lists by name are drawn.
    """

    name = "circuits"
    kinds = (CIRCUITS, EDGES, CURVES, EFFECTS)

    def __init__(self, context: SectionContext) -> None:
        super().__init__(context)
        self._searches: list[tuple[Group, _Search]] = []

    def add(self, group: Group, row: Row) -> None:
        """Keep a row of a search.

        See `Section.add`.
        """
        search = self._search(group)
        if group.kind == EDGES and not _is_edge(group, row["edge"]):
            raise FeatvizError("its indices are outside the graph of the configuration")
        if group.kind == CIRCUITS:
            if row["method"] == METHODS[0]:
                search.circuits.append(row)
        elif group.kind == EDGES:
            search.edges.append(row)
        elif group.kind == CURVES and row["address"] in METHODS:
            search.curves.append(row)
        elif group.kind == EFFECTS:
            search.effects[row["address"]] = rounded(row["effect"])

    def entry(self, group: Group, row: Row) -> Entry:
        """Rows are kept by `add`.

        See `Section.entry`.
        """
        raise NotImplementedError

    def finish(self) -> dict[str, Any]:
        """Return the data of the section: a block for each search, and shared edges.

        See `Section.finish`.
        """
        shown = self._shown()
        masks = [_masks(group, search) for group, search in shown]
        heads = [address for group in self.model.of("attention") for address in group.addresses()]
        return {
            "circuits": [
                self._block(group, search, own)
                for (group, search), own in zip(shown, masks, strict=True)
            ],
            "shared": [
                [a, b, (masks[a].astype(int) @ masks[b].astype(int).T).tolist()]
                for a, b in combinations(range(len(shown)), 2)
                if _graph(shown[a][0]) == _graph(shown[b][0])
            ],
            "attention": heads,
        }

    def count(self) -> int:
        """Return the number of searches."""
        return len(self._shown())

    def _search(self, group: Group) -> _Search:
        """Return the search of a configuration, which several kinds share."""
        for other, search in self._searches:
            if other.configuration == group.configuration:
                return search
        self._searches.append((group, _Search()))
        return self._searches[-1][1]

    def _shown(self) -> list[tuple[Group, _Search]]:
        """List the searches that have circuits, edges and curves."""
        return [(group, search) for group, search in self._searches if search.finish()]

    def _block(self, group: Group, search: _Search, masks: NDArray[np.bool_]) -> dict[str, Any]:
        shape = [len(each) for each in _graph(group)]
        places = np.array([row["edge"] for row in search.edges]).T
        listed = masks[:, np.ravel_multi_index(tuple(places), shape)]
        settings = group.configuration
        names = ("corrupt", "metric", "data", "edges")
        return {
            "label": self.model.label(group),
            "settings": [
                each for each in group.settings.items() if each[0] not in (*GRAPH, "shares")
            ],
            "experiment": {name: settings.get(name) for name in names},
            **dict(zip(GRAPH, _graph(group), strict=True)),
            "scored": int(search.curves[0]["scored"]),
            "tested": int(search.curves[0]["tested"]),
            "total": rounded(search.curves[0]["total"]),
            "edges": [
                [
                    *map(int, row["edge"]),
                    *rounded([row["score"]]),
                    search.effects.get(row["address"]),
                ]
                for row in search.edges
            ],
            "circuits": [
                [int(row["count"]), np.flatnonzero(own).tolist()]
                for row, own in zip(search.circuits, listed, strict=True)
            ],
            "curves": [_curve(row) for row in search.curves],
        }


def _graph(group: Group) -> list[Any]:
    return [group.configuration.get(name, []) for name in GRAPH]


def _is_edge(group: Group, edge: NDArray[np.int32]) -> bool:
    shape = [len(each) for each in _graph(group)]
    return bool((edge >= 0).all() and (edge < shape).all())


def _masks(group: Group, search: _Search) -> NDArray[np.bool_]:
    """Return the edges of the circuits, (K, all entries of the graph)."""
    count = math.prod(len(each) for each in _graph(group))
    return np.array([np.unpackbits(row["edges"], count=count) for row in search.circuits], bool)


def _curve(row: Row) -> dict[str, Any]:
    size = int(row["size"])
    return {
        "method": row["address"],
        "counts": [int(count) for count in row["counts"]],
        "faithfulness": [rounded(column) for column in row["faithfulness"].T],
        "completeness": rounded(row["completeness"]),
        **{name: rounded([row[name]])[0] for name in ("cpr", "cmd")},
        "size": size if size > 0 else None,
    }
