"""Circuits that were built by hand are found, over many random weights around them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from patching.circuits.edge_attribution import edge_scores
from patching.circuits.graph_forward import GraphViT
from patching.circuits.path_patching import edge_effects
from patching.circuits.search import connected, greedy_edges, pruned_edges, top_edges
from tests.patching.circuits.planted import KEYS_ONLY, REDUNDANT, keys_only, redundant, runs_of

SEEDS = 100
CASES = [(keys_only, KEYS_ONLY, 1.5), (redundant, REDUNDANT, 1.0)]


def logit(logits: Tensor) -> Tensor:
    return logits[:, 0]


def named(model: GraphViT, edges: Tensor) -> set[str]:
    return {model.graph.edge_name(*edge) for edge in edges.nonzero().tolist()}


@pytest.mark.parametrize(("make", "edges", "content"), CASES)
def test_integrated_scores_find_exactly_the_planted_edges_for_95_of_100_weights(
    make: Callable[[int], GraphViT], edges: tuple[str, ...], content: float
) -> None:
    found = {greedy_edges: 0, top_edges: 0}
    for seed in range(SEEDS):
        model = make(seed)
        clean, corrupted = runs_of(model, seed, content)
        scores = edge_scores(model, clean, corrupted, logit, steps=10).mean(0)
        for choose in found:
            chosen = choose(model.graph, scores, len(edges))
            found[choose] += named(model, chosen) == set(edges)
    assert min(found.values()) >= 0.95 * SEEDS, found


@torch.no_grad()
def test_the_edge_into_the_logits_comes_first_and_the_circuit_grows_backward() -> None:
    model = keys_only(0)
    clean, corrupted = runs_of(model, 0, 1.5)
    scores = edge_scores(model, clean, corrupted, logit, steps=10).mean(0)
    grown = [named(model, greedy_edges(model.graph, scores, size)) for size in range(1, 5)]
    assert grown[0] == {KEYS_ONLY[3]}
    # The head that writes the keys has no edge of its own before the edge into the keys.
    first, second = (
        next(size for size, each in enumerate(grown) if edge in each) for edge in KEYS_ONLY[:2]
    )
    assert second < first


@torch.no_grad()
def test_one_of_a_redundant_pair_has_no_effect_alone_and_all_of_it_in_the_circuit() -> None:
    small = 0
    for seed in range(10):
        model = redundant(seed)
        clean, corrupted = runs_of(model, seed, 1.0)
        scores = edge_scores(model, clean, corrupted, logit, steps=10).mean(0)
        pair = [
            edge
            for edge in model.graph.edges.nonzero().tolist()
            if model.graph.edge_name(*edge) in REDUNDANT[2:4]
        ]
        total = (logit(clean.logits) - logit(corrupted.logits)).mean()
        alone = edge_effects(model, clean, corrupted, logit, [tuple(edge) for edge in pair]).mean(1)
        integrated = torch.stack([scores[tuple(edge)] for edge in pair])
        small += bool((alone < 0.25 * total).all() and (integrated > 0.4 * total).all())
        # Without both, all is lost.
        edges = model.graph.edges.clone()
        for edge in pair:
            edges[tuple(edge)] = False
        lost = logit(clean.logits) - logit(model.run_with(edges, clean, corrupted))
        assert lost.mean() > 0.85 * total
    assert small == 10


@torch.no_grad()
def test_pruning_leaves_the_planted_edges() -> None:
    exact = 0
    for seed in range(10):
        model = keys_only(seed, noise=0.005)
        clean, corrupted = runs_of(model, seed, 1.5)
        kept = pruned_edges(model, clean, corrupted, logit, 0.05)
        exact += named(model, kept) == set(KEYS_ONLY)
        assert torch.equal(connected(model.graph, kept), kept)
    assert exact == 10
