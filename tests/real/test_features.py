"""DINOv2 with its trained weights computes what onnxruntime computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import featviz
from featviz.data.datasets import open_data
from featviz.models.vision_model import VisionModel
from tests.real.onnx_model import BLOCKS, tokens

pytestmark = pytest.mark.slow

ARCH = "vit_small_patch14_dinov2"


@pytest.fixture(scope="module")
def small(weights: Path) -> VisionModel:
    return featviz.load(str(weights), arch=ARCH, image_size=224, device="cpu")


def images(side: int) -> Tensor:
    return open_data("cueworld:2").images(range(2), side)


def features(model: VisionModel) -> tuple[Tensor, Tensor]:
    """Return normalized images, and the tokens (N, T, C) after the last norm."""
    pixels = model.normalize(images(model.image_size))
    module: Any = model.module
    with torch.no_grad():
        return pixels, module.forward_features(pixels)


def correlation(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def test_at_518_pixels_every_token_equals_that_of_onnxruntime(weights: Path, original: Any) -> None:
    model = featviz.load(str(weights), arch=ARCH, device="cpu")
    assert model.image_size == 518
    pixels, found = features(model)
    assert found.shape == (2, 1 + 37**2, 384)
    torch.testing.assert_close(found, tokens(original, pixels), rtol=0, atol=1e-4)


def test_at_224_pixels_tokens_differ_by_the_resampling_of_positions_only(
    small: VisionModel, original: Any
) -> None:
    # Without antialiasing in the ONNX file, with it in timm.
    pixels, found = features(small)
    expected = tokens(original, pixels)
    assert found.shape == expected.shape == (2, 1 + 16**2, 384)
    for part in (slice(0, 1), slice(1, None)):
        assert correlation(found[:, part], expected[:, part]) > 0.998


@pytest.mark.parametrize("block", range(BLOCKS))
def test_activations_of_a_block_add_up_exactly(small: VisionModel, block: int) -> None:
    names = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
    found: dict[str, Tensor] = {}
    with torch.no_grad():
        for name in names:
            unit = f"blocks.{block}.{name}:0,100,383@all"
            found[name] = featviz.readout(small, [unit])(images(224))
    assert torch.equal(found["resid_pre"] + found["attn_out"], found["resid_mid"])
    assert torch.equal(found["resid_mid"] + found["mlp_out"], found["resid_post"])
    assert found["attn_out"].abs().mean() > 0
    if block + 1 < BLOCKS:
        with torch.no_grad():
            following = featviz.readout(small, [f"blocks.{block + 1}.resid_pre:0,100,383@all"])
        assert torch.equal(following(images(224)), found["resid_post"])
