"""Attention of every kind whose logits are read, small enough for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import timm
import torch

from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel

# For each: timm's name, what makes it small, its prefix tokens, and the side of its grid.
NAMES: dict[str, tuple[str, dict[str, Any], int, int]] = {
    "ViT": ("vit_tiny_patch16_224", {"img_size": 64}, 1, 4),
    "DeiT distilled": ("deit_tiny_distilled_patch16_224", {"img_size": 64}, 2, 4),
    "DINOv2 with registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 56}, 5, 4),
    "qk-norm": ("vit_tiny_patch16_224", {"img_size": 64, "qk_norm": True}, 1, 4),
    "EVA": ("eva02_tiny_patch14_224", {"img_size": 56}, 1, 4),
    "DINOv3": ("vit_small_patch16_dinov3", {"img_size": 64}, 5, 4),
    "mixed rotary": ("vit_small_patch16_rope_mixed_224", {"img_size": 64}, 1, 4),
    "BEiT": ("beit_base_patch16_224", {"img_size": 64, "embed_dim": 48, "num_heads": 3}, 1, 4),
    "shared relative bias": (
        "vit_srelpos_small_patch16_224",
        {"img_size": 64, "embed_dim": 48, "num_heads": 3},
        0,
        4,
    ),
    "relative bias": (
        "vit_relpos_small_patch16_224",
        {"img_size": 64, "embed_dim": 48, "num_heads": 3},
        0,
        4,
    ),
}
TRAINED = "trained ViT"
EVERY = [TRAINED, *NAMES]


@cache
def attention_model(kind: str) -> VisionModel:
    """Load the trained model, or make one whose every weight is random, gains and biases too."""
    if kind == TRAINED:
        return load("cueworld/vit", device="cpu")
    name, options, _, _ = NAMES[kind]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = timm.create_model(name, pretrained=False, depth=2, **options)
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(torch.randn_like(weight) * (0.3 if weight.ndim == 1 else 0.05))
    module.eval().requires_grad_(False)
    half = (0.5, 0.5, 0.5)
    return VisionModel(kind, module, options["img_size"], half, half)
