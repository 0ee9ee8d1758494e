"""Models, runs and metrics that circuits are tested on."""

from __future__ import annotations

from functools import cache
from typing import Any

import timm
import torch
from torch import Tensor

from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.circuits.graph_forward import GraphViT, Run, graph_vit
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.linear_toy import linear_model
from tests.patching.models import MODELS, images, randomized, vit

LINEAR, SEPARATE = "linear", "EVA with separate projections"
KINDS = [LINEAR, SEPARATE, *(kind for kind in MODELS if kind != "post-norm")]


def vit_of(kind: str) -> ResidualViT:
    if kind == SEPARATE:
        return residual_vit(eva())
    return residual_vit(linear_model()) if kind == LINEAR else vit(kind)


def eva(**arguments: Any) -> VisionModel:
    """A small EVA-02, in float64, with a layer each for queries, keys and values."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.create_model(
            "eva02_base_patch14_224", img_size=28, embed_dim=24, depth=2, num_heads=2, **arguments
        )
    half = (0.5, 0.5, 0.5)
    return VisionModel(SEPARATE, randomized(module.double(), 1), 28, half, half)


@cache
def case(kind: str, split: bool = False) -> tuple[GraphViT, Run, Run]:
    """A model, and its runs on three clean and three corrupted images.

    With `split`, the first token and all others are two groups.
    """
    own = vit_of(kind)
    groups = {"first": [0], "rest": list(range(1, own.tokens))} if split else None
    model = graph_vit(own, groups)
    weight = next(own.model.module.parameters())
    with torch.no_grad(), eval_mode(own.model.module):
        clean, corrupted = (
            model.run(own.embed(images(own.model, seed).to(weight))) for seed in (1, 2)
        )
    return model, clean, corrupted


def second(logits: Tensor) -> Tensor:
    return logits[:, 1]
