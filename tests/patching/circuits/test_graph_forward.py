"""Runs of the graph against runs of the model, and edges against patches of whole components."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from patching.circuits.graph import graph_of
from patching.circuits.graph_forward import graph_vit
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.vit.residual_vit import residual_vit
from tests.patching.circuits.cases import KINDS, LINEAR, case, eva, vit_of
from tests.patching.models import images, logits_of, vit


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_computes_what_the_model_computes(kind: str) -> None:
    model, clean, _ = case(kind)
    if kind == LINEAR:
        logits = model.vit.model(images(model.vit.model, 1).float())
        assert torch.allclose(clean.logits, logits, atol=1e-6)
    else:
        assert torch.allclose(clean.logits, logits_of(model.vit.model, 1), atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_all_edges_are_the_clean_run_and_no_edge_is_the_corrupted_one(kind: str) -> None:
    model, clean, corrupted = case(kind, split=True)
    every = model.graph.edges
    assert torch.equal(model.run_with(every, clean, corrupted), clean.logits)
    found = model.run_with(torch.zeros_like(every), clean, corrupted)
    assert torch.allclose(found, corrupted.logits, atol=1e-6 if kind == LINEAR else 1e-10)
    # One edge that is missing at the start makes everything after it run anew.
    one = every.clone()
    one[0, 0] = False
    found = model.run_with(one, clean, clean)
    assert torch.allclose(found, clean.logits, atol=1e-5 if kind == LINEAR else 1e-10)


@pytest.mark.parametrize("kind", ["ViT", "DINOv2 with registers", "qk-norm", "EVA"])
@torch.no_grad()
def test_all_edges_of_a_head_are_activation_patching_of_its_output(kind: str) -> None:
    model, clean, corrupted = case(kind)
    own, heads = vit(kind), model.attentions[0].inputs // 3
    for head in range(heads):
        target = PatchTarget("z", 0, None, (head,))
        with eval_mode(own.model.module):
            base, donor = (
                run_with_cache(own, each.streams[0], [(target,)]) for each in (clean, corrupted)
            )
            right = patched_logits(own, base, donor, [(target,)])[0]
        edges = model.graph.edges.clone()
        (sender,) = (
            i
            for i, each in enumerate(model.graph.senders)
            if (each.sublayer, each.head) == (0, head)
        )
        edges[sender] = False
        found = model.run_with(edges, clean, corrupted)
        assert torch.allclose(found, right, atol=1e-10)


@torch.no_grad()
def test_groups_of_tokens_split_an_edge() -> None:
    """Without an edge at both groups, a receiver reads as without the undivided edge."""
    model, clean, corrupted = case("ViT", split=True)
    whole, *runs = case("ViT")
    for sender, receiver in ((0, 0), (3, 11), (4, 20), (0, 20)):
        edges = model.graph.edges.clone()
        edges[sender, receiver] = False
        undivided = whole.graph.edges.clone()
        undivided[sender, receiver] = False
        assert model.graph.edges[sender, receiver].all()
        found = model.run_with(edges, clean, corrupted)
        assert torch.allclose(found, whole.run_with(undivided, *runs), atol=1e-10)
    # The class token alone reaches the logits, so patches on an edge to them change nothing.
    edges = model.graph.edges.clone()
    edges[:, -1, 1] = False
    assert torch.allclose(model.run_with(edges, clean, corrupted), clean.logits, atol=1e-10)


def test_numbers_of_senders_receivers_and_edges() -> None:
    graph = case("ViT")[0].graph  # 2 blocks of 3 heads
    assert graph.shape == (1 + 2 * 4, 2 * (9 + 1) + 1, 1)
    # Heads of block 0 read 1 sender, its MLP 4, heads of block 1 read 5, its MLP 8, the logits 9.
    assert int(graph.edges.sum()) == 9 * 1 + 4 + 9 * 5 + 8 + 9
    assert graph.edge_name(2, 14, 0) == "blocks.0.attn:1 -> blocks.1.attn:1.k"
    linear = case(LINEAR)[0].graph  # heads have no queries and keys
    assert [each.name for each in linear.receivers[:3]] == [
        "blocks.0.attn:0.v",
        "blocks.0.attn:1.v",
        "blocks.0.mlp",
    ]


def test_post_norm_blocks_are_refused_because_heads_do_not_add_up() -> None:
    with pytest.raises(FeatvizError, match=r"blocks\.0\.attn .* is not a sum of heads"):
        graph_vit(vit_of("post-norm"))


def test_attention_that_reads_more_than_queries_keys_and_values_is_refused() -> None:
    model = eva()
    module: Any = model.module
    module.blocks[1].attn.gate = nn.Linear(24, 24).double()
    with pytest.raises(FeatvizError, match=r"blocks\.1\.attn .* is not a sum of heads"):
        graph_vit(residual_vit(model))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": [0, 1], "b": [1]}, "token 1 of group 'b' is in another group"),
        ({"a": [99]}, "token 99 of group 'a' is in another group, or not one of the 17 tokens"),
        ({"a": [0]}, r"token 1 is in none of the groups \['a'\]"),
    ],
)
def test_groups_cover_every_token_once(groups: dict[str, list[int]], message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        graph_of(vit_of("ViT"), groups)
