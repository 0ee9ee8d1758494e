"""Patching between models: whether the activations of one fit into another."""

from __future__ import annotations

import torch

from featviz.errors import FeatvizError
from featviz.models.state import undisturbed
from featviz.models.vision_model import VisionModel
from patching.vit.residual_vit import Trunk


def check_alike(trunk: Trunk, source: Trunk) -> None:
    """Refuse a source of activations whose shape is not the patched model's.

    Raises
    ------
    FeatvizError
        Naming the first difference: image size, blocks, tokens, channels or logits.
    """
    ours, theirs = _shape(trunk), _shape(source)
    for what, own in ours.items():
        if own != theirs[what]:
            raise FeatvizError(
                f"activations of {source.model.name} do not fit into {trunk.model.name}: "
                f"{theirs[what]} {what} there, {own} here"
            )
    if trunk.model.device != source.model.device:
        raise FeatvizError(
            f"{source.model.name} is on {source.model.device} and {trunk.model.name} on "
            f"{trunk.model.device}; load both on one device"
        )


def _shape(trunk: Trunk) -> dict[str, int]:
    model: VisionModel = trunk.model
    side = model.image_size
    with undisturbed(model.module), torch.no_grad():
        start = trunk.embed(torch.zeros(1, 3, side, side, device=model.device))
        logits = trunk.finish(start)
    return {
        "pixels a side": side,
        "blocks": trunk.depth,
        "tokens": start.shape[1],
        "channels": start.shape[2],
        "logits": logits.shape[1],
    }
