"""Activations of zeros and of means."""

from __future__ import annotations

import pytest
import torch

from featviz import FeatvizError
from patching.forward.cache import run_with_cache
from patching.interventions.donors import mean_run, repeated, zeros
from patching.interventions.targets import PatchTarget
from tests.patching.models import images, model_of, vit

PATCHES = [(PatchTarget("z", 0),), (PatchTarget("neurons", 1),), (PatchTarget("attn_out", 1),)]


def test_zeros_have_the_shapes_of_the_run_and_the_logits_of_the_biases() -> None:
    body = vit("ViT")
    like = run_with_cache(body, body.embed(images(model_of("ViT"), 0)), PATCHES)
    made = zeros(body, like)
    assert [s.shape for s in made.streams] == [s.shape for s in like.streams]
    assert all(not s.any() for s in (*made.streams, *made.values.values()))
    assert {k: v.shape for k, v in made.values.items()} == {
        k: v.shape for k, v in like.values.items()
    }
    # The norm's bias is all that is left of a stream of zeros.
    module = model_of("ViT").module
    expected = module.head(module.norm.bias)  # type: ignore[operator, union-attr]
    torch.testing.assert_close(made.logits, expected.expand(3, -1))


def test_a_mean_is_over_all_images_of_all_batches_token_by_token() -> None:
    body = vit("ViT")
    starts = body.embed(images(model_of("ViT"), 1, 5))
    made = mean_run(body, [starts[:2], starts[2:]], PATCHES)
    whole = run_with_cache(body, starts, PATCHES)
    for own, every in zip(made.streams, whole.streams, strict=True):
        torch.testing.assert_close(own, every.mean(0, keepdim=True))
    for key, every in whole.values.items():
        torch.testing.assert_close(made.values[key], every.mean(0, keepdim=True))
    torch.testing.assert_close(made.logits, body.finish(made.streams[-1]))
    assert (made.logits - whole.logits.mean(0)).abs().max() > 0.01


def test_one_run_stands_for_many() -> None:
    body = vit("ViT")
    one = run_with_cache(body, body.embed(images(model_of("ViT"), 2, 1)), PATCHES)
    many = repeated(one, 4)
    assert many.logits.shape == (4, one.logits.shape[1])
    for target in (PatchTarget("z", 0), PatchTarget("resid_mid", 1)):
        assert torch.equal(many.value(target), one.value(target).repeat(4, 1, 1, 1))


def test_no_images_have_no_mean() -> None:
    with pytest.raises(FeatvizError, match="no images to average"):
        mean_run(vit("ViT"), [], PATCHES)
