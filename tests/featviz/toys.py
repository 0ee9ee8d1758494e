"""A vision transformer small enough to render with in tests."""

from __future__ import annotations

import torch
from timm.models.vision_transformer import VisionTransformer

from featviz.addressing.address import Unit
from featviz.models.vision_model import VisionModel


def index_of(unit: Unit) -> int:
    """Return the index of a neuron, channel, filter or class."""
    assert isinstance(unit.index, int)
    return unit.index


def toy_vit() -> VisionModel:
    """Return a new ViT with four blocks of random weights, for images of 32 x 32 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = VisionTransformer(32, 16, num_classes=2, embed_dim=16, depth=4, num_heads=2)
    module.eval().requires_grad_(False)
    return VisionModel("toy", module, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
