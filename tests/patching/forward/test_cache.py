"""What an activation cache keeps, and donors that do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import featviz
from featviz.errors import FeatvizError
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.interventions.selection import Selection
from patching.settings import SITES
from tests.patching.models import MODELS, cached_run, images, model_of, targets_of, two_runs, vit


def test_only_what_is_asked_for_is_kept() -> None:
    found = cached_run(
        vit("ViT"),
        1,
        [(PatchTarget("z", 1), PatchTarget("resid_mid", 0)), (PatchTarget("mlp_out", 0),)],
    )
    assert set(found.values) == {("z", 1), ("mlp_out", 0)}
    assert len(found.streams) == 5
    assert found.values["z", 1].shape == (3, 17, 3, 64)


def test_the_stream_grows_by_the_outputs_of_attention_and_mlp() -> None:
    found, _ = two_runs("DeiT distilled")
    for layer in range(2):
        for sublayer, kind in ((0, "attn_out"), (1, "mlp_out")):
            before, after = found.streams[2 * layer + sublayer : 2 * layer + sublayer + 2]
            right = after - before
            added = found.values[kind, layer][:, :, 0]
            torch.testing.assert_close(added, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", MODELS)
def test_activations_are_the_units_of_the_same_names(kind: str) -> None:
    model, (cache, _) = model_of(kind), two_runs(kind)
    for name in SITES:
        target = Selection(name).kind
        if target in {"patch_embed", "pos_embed", "pattern"}:
            continue
        path = f"blocks.1.attn.{name}" if name in {"q", "k", "v", "z"} else f"blocks.1.{name}"
        right = cache.value(PatchTarget(target, 1)).flatten(2)
        assert model.sites[path].width == right.shape[2]
        with torch.no_grad():
            found = featviz.readout(model, f"{path}:3@all")(images(model, 1))
        torch.testing.assert_close(found, right[:, :, 3], rtol=0, atol=1e-6)


def test_the_first_tokens_of_a_cache_are_those_of_all_its_activations() -> None:
    found = two_runs("ViT")[0].first_tokens(2)
    assert all(stream.shape == (3, 2, 192) for stream in found.streams)
    for target in targets_of("ViT"):
        right = two_runs("ViT")[0].value(target)[:, :2]
        assert torch.equal(found.value(target), right)


def test_missing_targets_are_refused_before_anything_runs() -> None:
    with pytest.raises(FeatvizError, match="ViT has blocks 0-1, not 7"):
        run_with_cache(vit("ViT"), torch.zeros(0), [(PatchTarget("z", 7),)])


def test_donors_of_another_shape_are_refused() -> None:
    base, _ = two_runs("ViT")
    target = PatchTarget("z", 0)
    other = two_runs("DINOv2 with registers")[1]
    message = r"donor run has 2 blocks of 3 x 21 x 384 .* base run 2 blocks of 3 x 17 x 192$"
    with pytest.raises(FeatvizError, match=message):
        patched_logits(vit("ViT"), base, other, [(target,)])
    deeper = replace(base, streams=[*base.streams, *base.streams[:2]])
    with pytest.raises(FeatvizError, match="the donor run has 3 blocks"):
        patched_logits(vit("ViT"), base, deeper, [(target,)])
    heads = replace(base, values={**base.values, ("z", 0): base.values["z", 0].view(3, 17, 6, 32)})
    with pytest.raises(FeatvizError, match=r"z of block 0 has shape \(3, 17, 6, 32\) in the don"):
        patched_logits(vit("ViT"), base, heads, [(target,)])


def test_activations_that_a_cache_lacks_are_named() -> None:
    base, donor = two_runs("ViT")
    bare = cached_run(vit("ViT"), 2, [])
    with pytest.raises(FeatvizError, match="the donor run has no mlp_out of block 1"):
        patched_logits(vit("ViT"), base, bare, [(PatchTarget("mlp_out", 1),)])
    with pytest.raises(FeatvizError, match="the base run has no mlp_out of block 1"):
        patched_logits(vit("ViT"), bare, donor, [(PatchTarget("mlp_out", 1),)])
    with torch.no_grad():
        patched_logits(vit("ViT"), bare, bare, [(PatchTarget("resid_mid", 1),)])
