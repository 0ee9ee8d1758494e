"""Whether one model's activations fit into another."""

from __future__ import annotations

from typing import Any

import pytest
import timm

from featviz import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.interventions.donors import check_compatible
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.models import SMALL, vit


def made(**options: Any) -> ResidualViT:
    module = timm.create_model("vit_tiny_patch16_224", **{**SMALL, **options}).eval()
    half = (0.5, 0.5, 0.5)
    side = {**SMALL, **options}["img_size"]
    return residual_vit(VisionModel("other", module, side, half, half, untrained=True))


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
        check_compatible(made(), made(**options))


def test_other_weights_of_the_same_shape_are_taken() -> None:
    check_compatible(made(), made(qk_norm=True))
    check_compatible(vit("ViT"), vit("ViT"))
