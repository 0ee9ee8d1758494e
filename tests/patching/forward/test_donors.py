"""Donors of activations: other models, zeros and means."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from featviz import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.forward.cache import run_with_cache
from patching.forward.donors import check_compatible, mean_run, repeated, zeros
from patching.interventions.patch_targets import PatchTarget
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.models import SMALL, images, model_of, vit

PATCHES = [(PatchTarget("z", 0),), (PatchTarget("neurons", 1),), (PatchTarget("attn_out", 1),)]


def vit_with(**options: Any) -> ResidualViT:
    module = timm.create_model("vit_tiny_patch16_224", **{**SMALL, **options}).eval()
    half = (0.5, 0.5, 0.5)
    side = {**SMALL, **options}["img_size"]
    return residual_vit(VisionModel("other", module, side, half, half))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 3}, "3 blocks, other has 2"),
        ({"embed_dim": 96}, "96 channels, other has 48"),
        ({"img_size": 48}, "48 pixels per side, other has 64"),
        ({"patch_size": 32}, "5 tokens, other has 17"),
        ({"reg_tokens": 2}, "19 tokens, other has 17"),
        ({"num_classes": 7}, "7 logits, other has 1000"),
    ],
)
def test_a_donor_of_another_shape_is_refused_by_what_differs(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FeatvizError, match=f"of other do not fit other: other has {message}"):
        check_compatible(vit_with(), vit_with(**options))


def test_other_weights_of_the_same_shape_are_taken() -> None:
    check_compatible(vit_with(), vit_with(qk_norm=True))
    check_compatible(vit("ViT"), vit("ViT"))


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


def test_activations_of_one_image_are_repeated() -> None:
    body = vit("ViT")
    one = run_with_cache(body, body.embed(images(model_of("ViT"), 2, 1)), PATCHES)
    many = repeated(one, 4)
    assert many.logits.shape == (4, one.logits.shape[1])
    for target in (PatchTarget("z", 0), PatchTarget("resid_mid", 1)):
        assert torch.equal(many.value(target), one.value(target).repeat(4, 1, 1, 1))


def test_no_images_have_no_mean() -> None:
    with pytest.raises(FeatvizError, match="no images to average"):
        mean_run(vit("ViT"), [], PATCHES)
