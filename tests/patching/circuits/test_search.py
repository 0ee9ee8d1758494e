"""Choice of edges: hand-made scores, and invariants of runs."""

from __future__ import annotations

import pytest
import torch

from featviz.errors import FeatvizError
from patching.circuits.faithfulness import random_scores
from patching.circuits.search import (
    connected,
    greedy_circuits,
    greedy_edges,
    pruned_edges,
    top_edges,
)
from tests.patching.circuits.cases import LINEAR, case, second


@pytest.mark.parametrize("kind", [LINEAR, "ViT", "qk-norm", "EVA"])
@torch.no_grad()
def test_edges_on_no_path_change_nothing(kind: str) -> None:
    model, clean, corrupted = case(kind)
    generator, fewer = torch.Generator().manual_seed(0), 0
    for share in (0.03, 0.1, 0.3, 0.6):
        for _ in range(4):
            drawn = torch.rand(model.graph.shape, generator=generator) < share
            edges = drawn & model.graph.edges
            kept = connected(model.graph, edges)
            fewer += int(edges.sum() - kept.sum())
            assert not (kept & ~edges).any()
            right = model.run_with(edges, clean, corrupted)
            found = model.run_with(kept, clean, corrupted)
            assert torch.allclose(found, right, atol=1e-5 if kind == LINEAR else 1e-9)
            assert torch.equal(connected(model.graph, kept), kept)
    assert fewer > 50


def test_top_edges_are_the_largest_of_either_sign() -> None:
    graph = case("ViT")[0].graph
    scores = random_scores(graph, 0)
    scores[0, 0, 0], scores[3, -1, 0], scores[8, 0, 0] = -5, 4, 9  # the last is no edge
    chosen = top_edges(graph, scores, 2)
    assert chosen.nonzero().tolist() == [[0, 0, 0], [3, len(graph.receivers) - 1, 0]]
    assert torch.equal(top_edges(graph, scores, int(graph.edges.sum())), graph.edges)


def test_a_greedy_circuit_takes_an_edge_only_if_its_receiver_is_used() -> None:
    graph = case("ViT")[0].graph
    scores = torch.zeros(graph.shape)
    last = len(graph.receivers) - 1
    names = [each.name for each in graph.receivers]
    key, query = names.index("blocks.1.attn:0.k"), names.index("blocks.1.attn:1.q")
    head = [each.name for each in graph.senders].index("blocks.1.attn:0")
    scores[0, query, 0] = 9  # of another head, which is not used
    scores[2, key, 0] = 8
    scores[head, last, 0] = 1
    scores[0, last, 0] = 0.5
    chosen = greedy_edges(graph, scores, 3)
    assert chosen.nonzero().tolist() == [[0, last, 0], [2, key, 0], [head, last, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_greedy_circuits_are_nested_and_lead_to_the_logits(seed: int) -> None:
    graph = case("ViT", split=True)[0].graph
    before, scores = torch.zeros_like(graph.edges), random_scores(graph, seed)
    counts = range(1, int(graph.edges.sum()) + 1, 7)
    for count, chosen in zip(counts, greedy_circuits(graph, scores, counts), strict=True):
        assert torch.equal(chosen, greedy_edges(graph, scores, count))
        assert int(chosen.sum()) == count
        assert not (before & ~chosen).any()
        used = chosen.any(-1)
        for sender, receiver in used.nonzero().tolist():
            owners = graph.sender_of[receiver]
            assert not owners or any(used[owner].any() for owner in owners), (sender, receiver)
        before = chosen


def test_a_circuit_cannot_have_more_edges_than_the_graph() -> None:
    graph = case("ViT")[0].graph
    with pytest.raises(FeatvizError, match="has 0 to 75 edges, got 76"):
        top_edges(graph, torch.zeros(graph.shape), 76)


@torch.no_grad()
def test_pruning_with_tolerance_0_keeps_what_changes_the_metric_and_inf_removes_all() -> None:
    model, clean, corrupted = case(LINEAR)
    assert pruned_edges(model, clean, corrupted, second, float("inf")).sum() == 0
    kept = pruned_edges(model, clean, corrupted, second, 1e-7)
    assert torch.equal(kept, model.graph.edges)
    with pytest.raises(ValueError, match="tolerance must be >= 0, got -1"):
        pruned_edges(model, clean, corrupted, second, -1)
