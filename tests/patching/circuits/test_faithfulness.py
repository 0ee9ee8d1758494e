"""Curves over sizes of circuits: closed forms on a linear network, and ends of the curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from patching.circuits.edge_attribution import edge_scores
from patching.circuits.faithfulness import (
    Curve,
    circuits_of_sizes,
    faithfulness_curve,
    minimality,
    node_scores,
    random_scores,
)
from patching.circuits.search import top_edges
from tests.patching.circuits.cases import LINEAR, case, second


@torch.no_grad()
def test_on_a_linear_network_what_a_circuit_keeps_is_the_sum_over_its_paths() -> None:
    """Without any edge but those into the logits of one sender, its own effect is 0, since its
    inputs are corrupted; the embedding's edge keeps exactly its score."""
    model, clean, corrupted = case(LINEAR)
    scores = edge_scores(model, clean, corrupted, second)
    direct = torch.zeros_like(model.graph.edges)
    direct[0, -1] = True
    from_head = torch.zeros_like(model.graph.edges)
    from_head[1, -1] = True
    path = from_head.clone()
    path[0, model.graph.sender_of.index((1,))] = True
    curve = faithfulness_curve(model, clean, corrupted, second, [direct, from_head, path])
    total = (second(clean.logits) - second(corrupted.logits)).numpy()
    assert np.allclose(curve.total, total, atol=1e-6)
    assert np.allclose(curve.kept[:, 0], scores[:, 0, -1, 0], atol=1e-6)
    assert np.allclose(curve.kept[:, 1], 0, atol=1e-6)
    # The head of block 0 reads the embedding only: its path carries all of its score.
    assert np.allclose(curve.kept[:, 2], scores[:, 1, -1, 0], atol=1e-6)
    # A linear network loses without an edge what the edge carries.
    assert np.allclose(curve.lost[:, 0], scores[:, 0, -1, 0], atol=1e-6)
    assert np.allclose(curve.faithfulness, curve.kept.mean(0) / total.mean())


@torch.no_grad()
def test_the_whole_graph_keeps_and_loses_everything() -> None:
    model, clean, corrupted = case("qk-norm", split=True)
    scores = edge_scores(model, clean, corrupted, second, 2).mean(0)
    curve = faithfulness_curve(
        model, clean, corrupted, second, circuits_of_sizes(model.graph, scores)
    )
    assert curve.counts.tolist() == [1, 1, 1, 2, 3, 8, 15, 30, 75, 150]
    assert curve.faithfulness[-1] == pytest.approx(1, abs=1e-12)
    assert curve.completeness[-1] == pytest.approx(1, abs=1e-12)


def test_areas_and_sizes_of_a_curve_by_hand() -> None:
    kept, total = np.array([[0.0, 1.0, 3.0], [0.0, 2.0, 3.0]]), np.array([2.0, 2.0])
    curve = Curve(np.array([0, 50, 100]), 100, kept, kept, total)
    assert curve.faithfulness.tolist() == [0, 0.75, 1.5]
    assert curve.cpr == pytest.approx((0.375 + 1.125) / 2)
    assert curve.cmd == pytest.approx((0.625 + 0.375) / 2)
    assert (curve.size_at(0.8), curve.size_at(0.7), curve.size_at(2)) == (100, 50, None)


def test_the_top_edges_by_nodes_are_all_edges_between_the_top_components() -> None:
    graph = case("ViT")[0].graph
    scores = random_scores(graph, 3) * graph.edges
    own = scores.sum((1, 2)).abs()
    by_node = node_scores(graph, scores)
    for count in (3, 5, 7):
        limit = own.sort(descending=True).values[count - 1]
        chosen = by_node >= limit
        between = torch.zeros_like(graph.edges)
        for receiver, owners in enumerate(graph.sender_of):
            for sender in range(len(graph.senders)):
                inside = not owners or own[owners[0]] >= limit
                between[sender, receiver, 0] = inside and own[sender] >= limit
        edges = between & graph.edges
        assert torch.equal(chosen & graph.edges, edges)
        assert torch.equal(top_edges(graph, by_node, int(edges.sum())), edges)


@torch.no_grad()
def test_minimality_is_the_effect_of_each_edge_within_the_circuit() -> None:
    model, clean, corrupted = case("ViT")
    scores = edge_scores(model, clean, corrupted, second, 2).mean(0)
    edges = top_edges(model.graph, scores, 12)
    found = minimality(model, clean, corrupted, second, edges)
    assert found.shape == (12, 3)
    fewer = edges.clone()
    fewer[tuple(edges.nonzero()[4])] = False
    right = second(model.run_with(edges, clean, corrupted)) - second(
        model.run_with(fewer, clean, corrupted)
    )
    assert torch.equal(found[4], right)
