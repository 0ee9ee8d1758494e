"""Data of the section of circuits, against stores made by hand and the report of circuits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gallery
from tests.gallery import results
from tests.gallery.circuits import EDGES, GROUPS, RECEIVERS, SENDERS, write_circuits
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data


def exported(folder: Path) -> Any:
    gallery.export([folder / "s"], folder / "site")
    return data(folder / "site", "1/sections/circuits")


def test_edges_circuits_and_curves_are_those_of_the_store(tmp_path: Path) -> None:
    write_circuits(tmp_path / "s")
    found = exported(tmp_path)
    (block,) = found["circuits"]
    assert found["shared"] == []
    named = [
        (SENDERS[s], RECEIVERS[r], GROUPS[g], score, effect and effect[0])
        for s, r, g, score, effect in block["edges"]
    ]
    assert named == list(EDGES)
    assert block["edges"][0][-1] == [1.5, 1.4, 1.6]
    # Of the whole graph, the listed edges are drawn.
    assert block["circuits"] == [[2, [0, 1]], [4, [0, 1, 2, 3]], [278, [0, 1, 2, 3]]]
    assert [curve["method"] for curve in block["curves"]] == ["edges", "components", "random"]
    edges, _, random = block["curves"]
    assert edges == {
        "method": "edges",
        "counts": [2, 4, 278],
        "faithfulness": [[0.5, 0.9, 1], [0.4, 0.8, 0.9], [0.6, 1, 1.1]],
        "completeness": [0.25, 0.45, 0.5],
        "cpr": 0.75,
        "cmd": 0.25,
        "size": 4,
    }
    assert random["size"] is None
    assert (block["scored"], block["tested"], block["total"]) == (55, 50, [2, 1.9, 2.1])
    assert {"senders", "receivers", "groups", "shares"}.isdisjoint(dict(block["settings"]))
    assert dict(data(tmp_path / "site", "models")[0]["sections"])["circuits"] == 1


def test_shared_edges_are_counted_for_each_pair_of_sizes(tmp_path: Path) -> None:
    stores = [
        write_circuits(tmp_path / "a"),
        write_circuits(tmp_path / "b", [*EDGES[2:], EDGES[1]], corrupt="shuffle"),
        # Indices of another graph mean other edges.
        write_circuits(tmp_path / "c", corrupt="blur", groups=["patches", "prefix"]),
    ]
    gallery.export(stores, tmp_path / "site")
    found = data(tmp_path / "site", "1/sections/circuits")
    assert [each["experiment"]["corrupt"] for each in found["circuits"]] == [
        "grayscale",
        "shuffle",
        "blur",
    ]
    ((first, second, counts),) = found["shared"]
    assert (first, second) == (0, 1)
    assert [row[:2] for row in counts[:2]] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("kind", ["circuits", "circuit_edges", "circuit_curves"])
def test_circuits_without_edges_or_curves_are_not_shown(kind: str, tmp_path: Path) -> None:
    write_circuits(tmp_path / "s")
    (path,) = (tmp_path / "s" / "shards").glob(f"{kind}-*")
    path.unlink()
    write_results(tmp_path / "s", "filters", results.filters(["stem:0", "stem:1"]))
    gallery.export([tmp_path / "s"], tmp_path / "site")
    assert "circuits" not in dict(data(tmp_path / "site", "1/model")["sections"])


def test_an_edge_outside_the_graph_costs_a_line(tmp_path: Path) -> None:
    write_circuits(tmp_path / "s", receivers=RECEIVERS[:-1])
    found = gallery.export([tmp_path / "s"], tmp_path / "site")
    assert len(found.warnings) == 2
    assert all("outside the graph" in warning for warning in found.warnings)
    assert found.warnings[1].startswith("circuit_edges of blocks.2.mlp -> logits @ prefix")
    (block,) = data(tmp_path / "site", "1/sections/circuits")["circuits"]
    assert len(block["edges"]) == 2
    assert block["circuits"][0] == [2, []]
