"""Scores of edges against closed forms, exact path patching and an independent implementation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from patching.circuits.edge_attribution import edge_scores
from patching.circuits.graph import Receiver
from patching.circuits.path_patching import edge_effects
from tests.oracles import edge_scores as oracle
from tests.patching.circuits.cases import KINDS, LINEAR, case, second


def names(receiver: Receiver, depth: int) -> oracle.Receiver:
    if receiver.name == "logits":
        return depth, "logits", 0
    return receiver.sublayer // 2, receiver.kind or "mlp", receiver.head or 0


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("kind", ["DINOv2 with registers", "LayerScale", "qk-norm"])
def test_scores_equal_an_independent_implementation(kind: str, steps: int) -> None:
    model, clean, corrupted = case(kind, split=True)
    module: Any = model.vit.model.module
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    heads = module.get_submodule("blocks.0.attn").num_heads
    scores = edge_scores(model, clean, corrupted, second, steps)
    edges = model.graph.edges.nonzero().tolist()
    chosen = np.random.default_rng(0).choice(len(edges), 40, replace=False)
    for sender, receiver, group in [edges[i] for i in chosen]:
        right = oracle.edge_score(
            weights,
            heads,
            clean.streams[0].numpy(),
            corrupted.streams[0].numpy(),
            lambda logits: logits[:, 1],
            steps,
            (sender, names(model.graph.receivers[receiver], model.vit.depth)),
            model.graph.tokens(group).tolist(),
        )
        found = scores[:, sender, receiver, group].numpy()
        assert np.abs(found - right).max() <= 1e-6 * max(1.0, np.abs(right).max())


@pytest.mark.parametrize("steps", [0, 1, 4])
@torch.no_grad()
def test_on_a_linear_network_scores_are_exact_and_add_up(steps: int) -> None:
    model, clean, corrupted = case(LINEAR, split=True)
    scores = edge_scores(model, clean, corrupted, second, steps)
    edges = [tuple(edge) for edge in model.graph.edges.nonzero().tolist()]
    effects = edge_effects(model, clean, corrupted, second, edges)
    for edge, effect in zip(edges, effects, strict=True):
        assert torch.allclose(scores[(slice(None), *edge)], effect, atol=1e-6)
    total = second(clean.logits) - second(corrupted.logits)
    # What reaches the logits is all there is, and so is what leaves the embedding.
    assert torch.allclose(scores[:, :, -1].sum((1, 2)), total, atol=1e-6)
    # A component passes on what it receives.
    for sender, each in enumerate(model.graph.senders[1:], 1):
        receivers = [r for r, senders in enumerate(model.graph.sender_of) if sender in senders]
        incoming = scores[:, :, receivers].sum((1, 2, 3))
        assert torch.allclose(incoming, scores[:, sender].sum((1, 2)), atol=1e-6), each.name


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_scores_are_slopes_of_exact_path_patching(kind: str) -> None:
    """Without integration, they are the derivative of the metric to the share of a difference."""
    model, clean, corrupted = case(kind, split=True)
    single = kind == LINEAR
    step, tolerance = (1e-1, 1e-4) if single else (1e-4, 1e-6)
    differences = clean.outputs - corrupted.outputs
    sublayers = torch.tensor([each.sublayer for each in model.graph.senders])
    streams = [differences[sublayers < index].sum(0) for index in range(len(clean.streams))]
    edges = [tuple(edge) for edge in model.graph.edges.nonzero().tolist()]
    chosen = [edges[i] for i in np.random.default_rng(0).choice(len(edges), 12, replace=False)]
    effects = []
    for share in (step, -step):
        moved = replace(
            clean,
            outputs=clean.outputs - share * differences,
            streams=[own - share * d for own, d in zip(clean.streams, streams, strict=True)],
        )
        effects.append(edge_effects(model, clean, moved, second, chosen))
    scores = edge_scores(model, clean, corrupted, second)
    found = torch.stack([scores[(slice(None), *edge)] for edge in chosen])
    right = (effects[0] - effects[1]) / (2 * step)
    assert (found - right).abs().max() <= tolerance * max(1.0, float(right.abs().max()))


def test_scores_are_zero_where_there_is_no_edge() -> None:
    model, clean, corrupted = case("ViT")
    scores = edge_scores(model, clean, corrupted, second, 2)
    assert (scores[:, ~model.graph.edges] == 0).all()
    assert (scores[:, model.graph.edges] != 0).any(0).float().mean() > 0.9


@torch.no_grad()
def test_an_image_has_the_score_that_it_has_alone() -> None:
    model, clean, corrupted = case("qk-norm")
    scores = edge_scores(model, clean, corrupted, second, 2)
    alone, other = (model.run(each.streams[0][1:2]) for each in (clean, corrupted))
    assert torch.allclose(edge_scores(model, alone, other, second, 2)[0], scores[1], atol=1e-10)


def test_gradients_and_modes_are_left_as_found() -> None:
    model, clean, corrupted = case("ViT")
    module = model.vit.model.module
    with torch.inference_mode():
        runs = [model.run(each.streams[0].clone()) for each in (clean, corrupted)]
        edge_scores(model, runs[0], runs[1], second, 1)
    assert not any(each.requires_grad or each.grad is not None for each in module.parameters())
    assert not torch.is_inference_mode_enabled()


def test_negative_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be >= 0, got -1"):
        edge_scores(*case("ViT"), second, -1)
