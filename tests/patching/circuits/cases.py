"""Models, runs and metrics that circuits are tested on."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from featviz.models.hooks import eval_mode
from patching.circuits.graph_forward import GraphViT, Run, graph_vit
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.linear_toy import linear_model
from tests.patching.models import images, vit

LINEAR = "linear"


def vit_of(kind: str) -> ResidualViT:
    return residual_vit(linear_model()) if kind == LINEAR else vit(kind)


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
