"""Whether one model's activations fit into another."""

from __future__ import annotations

from typing import Any

import pytest
import timm

from featviz import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.interventions.donors import check_alike
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.models import SMALL, vit


def made(**options: Any) -> ResidualViT:
    module = timm.create_model("vit_tiny_patch16_224", **{**SMALL, **options}).eval()
    sublayer = (0.5, 0.5, 0.5)
    side = {**SMALL, **options}["img_size"]
    return residual_vit(VisionModel("other", module, side, sublayer, sublayer, untrained=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 3}, "3 blocks there, 2 here"),
        ({"embed_dim": 96}, "96 channels there, 48 here"),
        ({"img_size": 48}, "48 pixels a side there, 64 here"),
        ({"patch_size": 32}, "5 tokens there, 17 here"),
        ({"reg_tokens": 2}, "19 tokens there, 17 here"),
        ({"num_classes": 7}, "7 logits there, 1000 here"),
    ],
)
def test_a_donor_of_another_shape_is_refused_by_what_differs(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FeatvizError, match=f"of other do not fit into other: {message}"):
        check_alike(made(), made(**options))


def test_other_weights_of_the_same_shape_are_taken() -> None:
    check_alike(made(), made(qk_norm=True))
    check_alike(vit("ViT"), vit("ViT"))
