"""Properties of patched runs that hold for every model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from featviz.models.vision_model import VisionModel
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import Patch, PatchTarget
from patching.vit.residual_vit import residual_vit
from tests.oracles.plain_vit import Array, PlainViT
from tests.patching.linear_toy import linear_model
from tests.patching.models import (
    MODELS,
    STANDARD,
    cached_run,
    images,
    logits_of,
    model_of,
    targets_of,
    two_runs,
    vit,
)

every_model = pytest.mark.parametrize("kind", MODELS)


def assert_same(found: Tensor, right: Tensor) -> None:
    """In double precision; logits are around 1."""
    torch.testing.assert_close(found, right, rtol=0, atol=1e-10)


def restored(kind: str, patches: Sequence[Patch], rows: int | None = None) -> Tensor:
    base, donor = two_runs(kind)
    with torch.no_grad():
        return patched_logits(vit(kind), base, donor, patches, rows)


def parts_of(kind: str) -> list[Patch]:
    """Patches of every kind: whole, of some tokens, of some heads or neurons, and in windows."""
    first, last = (1, 2, 7), (0, vit(kind).tokens - 1)
    patches: list[Patch] = [()]
    for target in targets_of(kind):
        patches += [(target,), (replace(target, tokens=first),)]
        if target.kind in {"q", "k", "v", "z", "pattern", "neurons"}:
            patches += [(replace(target, groups=(0, 2)),)]
            patches += [(replace(target, tokens=last, groups=(1,)),)]
    for name in ("attn_out", "mlp_out", "z", "neurons", "resid_mid", "pattern", "q"):
        patches.append(tuple(PatchTarget(name, layer) for layer in range(vit(kind).depth)))
        patches.append(tuple(PatchTarget(name, layer, first) for layer in range(2)))
    patches.append(
        (
            PatchTarget("patch_embed", 0, last),
            PatchTarget("q", 1, first),
            PatchTarget("k", 1),
            PatchTarget("z", 0),
        )
    )
    patches.append(
        (PatchTarget("attn_out", 0, last), PatchTarget("v", 0), PatchTarget("resid_mid", 0, first))
    )
    patches.append((PatchTarget("neurons", 1, None, (3, 4)), PatchTarget("mlp_out", 1, last)))
    # Of twelve blocks a few, for speed; the number is prime to those of kinds and blocks.
    return patches if vit(kind).depth == 2 else patches[::23]


@every_model
def test_an_empty_patch_is_the_corrupted_run_of_timm(kind: str) -> None:
    (found,) = restored(kind, [()])
    assert torch.equal(found, two_runs(kind)[0].logits)
    assert_same(found, logits_of(model_of(kind), 1))


@every_model
def test_the_donor_run_is_the_clean_run_of_timm(kind: str) -> None:
    assert_same(two_runs(kind)[1].logits, logits_of(model_of(kind), 2))


@every_model
def test_a_run_patched_with_itself_changes_nothing_at_any_target(kind: str) -> None:
    base, _ = two_runs(kind)
    same = cached_run(vit(kind), 1, [(target,) for target in targets_of(kind)])
    with torch.no_grad():
        found = patched_logits(vit(kind), base, same, parts_of(kind))
    assert_same(found, base.logits.expand_as(found))


@every_model
def test_restoring_the_whole_stream_anywhere_gives_the_clean_run(kind: str) -> None:
    patches = [(target,) for target in targets_of(kind) if target.kind.startswith("resid")]
    assert len(patches) == 3 * vit(kind).depth
    found = restored(kind, patches)
    assert_same(found, two_runs(kind)[1].logits.expand_as(found))


@every_model
def test_restoring_every_output_and_the_start_gives_the_clean_run(kind: str) -> None:
    outputs = [target for target in targets_of(kind) if target.kind in {"attn_out", "mlp_out"}]
    (found,) = restored(kind, [(PatchTarget("patch_embed", 0), *outputs)])
    assert_same(found, two_runs(kind)[1].logits)


@every_model
def test_all_heads_are_the_attention_and_all_neurons_the_mlp(kind: str) -> None:
    base, _ = two_runs(kind)
    for inside, output in (("z", "attn_out"), ("neurons", "mlp_out")):
        for layer, tokens in product(range(vit(kind).depth), (None, (0, 3))):
            every = tuple(range(base.values[inside, layer].shape[2]))
            found, whole, right = restored(
                kind,
                [
                    (PatchTarget(inside, layer, tokens, every),),
                    (PatchTarget(inside, layer, tokens),),
                    (PatchTarget(output, layer, tokens),),
                ],
            )
            assert_same(found, whole)
            assert_same(found, right)


@every_model
def test_queries_keys_and_values_together_are_the_attention(kind: str) -> None:
    together, right = restored(
        kind, [tuple(PatchTarget(name, 1) for name in "qkv"), (PatchTarget("attn_out", 1),)]
    )
    assert_same(together, right)


@every_model
def test_the_pattern_is_the_queries_and_keys(kind: str) -> None:
    found, right = restored(
        kind, [(PatchTarget("pattern", 0),), (PatchTarget("q", 0), PatchTarget("k", 0))]
    )
    assert_same(found, right)
    pattern = two_runs(kind)[0].values["pattern", 0]
    assert_same(pattern.sum(-1), torch.ones_like(pattern[..., 0]))


@every_model
def test_a_resumed_run_is_the_full_forward_pass(kind: str) -> None:
    base, _ = two_runs(kind)
    with torch.no_grad():
        for sublayer, stream in list(enumerate(base.streams))[::4]:
            found = vit(kind).finish(vit(kind).run(stream, sublayer))
            assert_same(found, logits_of(model_of(kind), 1))


@every_model
def test_batched_runs_are_single_runs_and_chunks_do_not_matter(kind: str) -> None:
    patches = parts_of(kind)[::2]
    together = restored(kind, patches, 10**9)
    alone = torch.cat([restored(kind, [patch]) for patch in patches])
    assert_same(together, alone)
    assert_same(restored(kind, patches, 20), together)


@every_model
def test_swapped_roles_swap_the_baselines(kind: str) -> None:
    base, donor = two_runs(kind)
    patches: list[Patch] = [(), (PatchTarget("resid_pre", 0),)]
    with torch.no_grad():
        denoised = patched_logits(vit(kind), base, donor, patches)
        noised = patched_logits(vit(kind), donor, base, patches)
    assert_same(denoised, noised.flip(0))


@every_model
def test_noising_a_part_is_denoising_the_rest(kind: str) -> None:
    base, donor = two_runs(kind)
    tokens = tuple(range(3, vit(kind).tokens))
    with torch.no_grad():
        denoised = patched_logits(vit(kind), base, donor, [(PatchTarget("resid_mid", 1, tokens),)])
        noised = patched_logits(vit(kind), donor, base, [(PatchTarget("resid_mid", 1, (0, 1, 2)),)])
    assert_same(denoised, noised)


AT_TOKENS = ("z", "attn_out", "resid_mid", "neurons", "mlp_out", "resid_post")


@pytest.mark.parametrize("kind", [kind for kind in STANDARD if kind != "average pooling"])
def test_patches_of_the_last_block_do_nothing_at_all_where_the_class_token_is_read(
    kind: str,
) -> None:
    last, prefix = vit(kind).depth - 1, model_of(kind).prefix_tokens
    patches = tuple(range(prefix, vit(kind).tokens))
    found = restored(kind, [(PatchTarget(name, last, patches),) for name in AT_TOKENS])
    assert torch.equal(found, two_runs(kind)[0].logits.expand_as(found))
    read = restored(kind, [(PatchTarget(name, last),) for name in AT_TOKENS])
    some = restored(kind, [(PatchTarget(name, last, tuple(range(prefix))),) for name in AT_TOKENS])
    assert_same(some, read)
    # Keys and values are read by the class token.
    values = restored(
        kind, [(PatchTarget(name, last, patches),) for name in ("resid_pre", "k", "v")]
    )
    assert (values - two_runs(kind)[0].logits).abs().amax((1, 2)).min() > 1e-6


@pytest.mark.parametrize("kind", ["average pooling", "EVA", "DINOv3", "BEiT"])
def test_patches_of_the_last_block_count_where_they_are_averaged(kind: str) -> None:
    last, prefix = vit(kind).depth - 1, model_of(kind).prefix_tokens
    patches = tuple(range(prefix, vit(kind).tokens))
    found = restored(kind, [(PatchTarget(name, last, patches),) for name in AT_TOKENS])
    assert (found - two_runs(kind)[0].logits).abs().amax((1, 2)).min() > 1e-6


@every_model
def test_a_donor_of_the_same_weights_is_the_same_model(kind: str) -> None:
    model = model_of(kind)
    twin = VisionModel("twin", copy.deepcopy(model.module), model.image_size, model.mean, model.std)
    donor = cached_run(residual_vit(twin), 2, [(target,) for target in targets_of(kind)])
    with torch.no_grad():
        found = patched_logits(vit(kind), two_runs(kind)[0], donor, parts_of(kind))
    assert torch.equal(found, restored(kind, parts_of(kind)))


def plain(kind: str) -> PlainViT:
    model = model_of(kind)
    weights = {name: value.numpy() for name, value in model.module.state_dict().items()}
    attention: Any = model.module.get_submodule("blocks.0.attn")
    return PlainViT(weights, attention.num_heads, kind == "average pooling", kind == "post-norm")


def edited(target: PatchTarget, own: Array, other: Array) -> Array:
    """Replace number by number."""
    out = own.copy()
    for token in range(own.shape[1]) if target.tokens is None else target.tokens:
        for group in range(own.shape[2]) if target.groups is None else target.groups:
            out[:, token, group] = other[:, token, group]
    return out


@pytest.mark.parametrize("kind", STANDARD)
def test_a_transformer_written_by_hand_agrees_for_every_kind_of_target(kind: str) -> None:
    network, model = plain(kind), model_of(kind)
    inputs = [model.normalize(images(model, seed)).numpy() for seed in (1, 2)]
    network.run(inputs[1], {})
    clean = dict(network.activations)
    right = []
    for patch in parts_of(kind):
        edits = {
            (target.kind, target.layer): lambda own, target=target: edited(
                target, own, clean[target.kind, target.layer]
            )
            for target in patch
        }
        right.append(network.run(inputs[0], edits))
    found = restored(kind, parts_of(kind)).numpy()
    np.testing.assert_allclose(found, np.stack(right), rtol=0, atol=1e-9)


def test_single_effects_add_up_in_a_linear_network() -> None:
    toy = residual_vit(linear_model())
    kinds = ("attn_out", "mlp_out", "z", "neurons", "v")
    targets = [PatchTarget(kind, layer) for kind in kinds for layer in range(toy.depth)]
    start = [torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    model = copy.deepcopy(linear_model().module).double()
    toy = residual_vit(VisionModel("linear", model, 16, (0.5,) * 3, (0.5,) * 3))
    with torch.no_grad():
        base, donor = (
            run_with_cache(toy, stream.double(), [(target,) for target in targets])
            for stream in start
        )
        for kind, (tokens, groups) in product(
            ("z", "neurons", "v"), (((0, 2), (1,)), (None, None))
        ):
            # Within a block only: a donor's later activations hold the effect of its earlier ones.
            parts: list[Patch] = [
                (PatchTarget(kind, 1, (token,), (group,)),)
                for token in (tokens or range(4))
                for group in (groups or range(base.values[kind, 1].shape[2]))
            ]
            effects = patched_logits(toy, base, donor, parts) - base.logits
            (whole,) = patched_logits(toy, base, donor, [(PatchTarget(kind, 1, tokens, groups),)])
            assert_same(effects.sum(0), whole - base.logits)
            assert (whole - base.logits).abs().max() > 1e-3
