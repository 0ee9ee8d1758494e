"""Donors of activations: other models, and ablation to zero or to the mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.patch_targets import Patch
from patching.vit.residual_vit import ResidualViT


def check_compatible(vit: ResidualViT, source: ResidualViT) -> None:
    """Check that the activations of one model can replace those of another.

    Parameters
    ----------
    vit : ResidualViT
        Of the model that is patched.
    source : ResidualViT
        Of the model whose activations are used.

    Raises
    ------
    FeatvizError
        Naming the first difference: image size, blocks, tokens, channels, logits or device.
    """
    ours, theirs = _shape(vit), _shape(source)
    for what, own in ours.items():
        if own != theirs[what]:
            raise FeatvizError(
                f"activations of {source.model.name} do not fit {vit.model.name}: "
                f"{source.model.name} has {theirs[what]} {what}, {vit.model.name} has {own}"
            )
    if vit.model.device != source.model.device:
        raise FeatvizError(
            f"{source.model.name} is on {source.model.device} and {vit.model.name} on "
            f"{vit.model.device}; load both on one device"
        )


def _shape(vit: ResidualViT) -> dict[str, int]:
    model: VisionModel = vit.model
    side = model.image_size
    with eval_mode(model.module), torch.no_grad():
        start = vit.embed(torch.zeros(1, 3, side, side, device=model.device))
        logits = vit.finish(start)
    return {
        "pixels per side": side,
        "blocks": vit.depth,
        "tokens": start.shape[1],
        "channels": start.shape[2],
        "logits": logits.shape[1],
    }


def zeros(vit: ResidualViT, like: ActivationCache) -> ActivationCache:
    """Make a donor whose activations are all 0.

    Parameters
    ----------
    vit : ResidualViT
    like : ActivationCache
        Gives the shapes and the activations to include.

    Returns
    -------
    ActivationCache
        Its logits are those of a final stream of zeros.
    """
    streams = [torch.zeros_like(stream) for stream in like.streams]
    values = {key: torch.zeros_like(value) for key, value in like.values.items()}
    return ActivationCache(streams, values, vit.finish(streams[-1]))


def mean_run(
    vit: ResidualViT, starts: Iterable[Tensor], patches: Sequence[Patch]
) -> ActivationCache:
    """Average activations over images, separately for each token.

    Sums are accumulated in float64.

    Parameters
    ----------
    vit : ResidualViT
    starts : iterable of Tensor, each of shape (N, T, C)
        Residual streams before the first block, batch by batch.
    patches : sequence of Patch
        Besides the streams, the activations of their targets are averaged.

    Returns
    -------
    ActivationCache
        Of 1 image. Its logits are those of the mean of the last stream, not the mean of logits.

    Raises
    ------
    FeatvizError
        If there are no images, or the model lacks a target.
    """
    total: list[Tensor] | None = None
    count, example = 0, None
    for start in starts:
        example = run_with_cache(vit, start, patches)
        found = [*example.streams, *example.values.values()]
        sums = [each.sum(0, keepdim=True, dtype=torch.float64) for each in found]
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
        count += len(start)
    if total is None or example is None:
        raise FeatvizError("there are no images to average over")
    means = [(each / count).to(example.streams[0].dtype) for each in total]
    streams = means[: len(example.streams)]
    values = dict(zip(example.values, means[len(streams) :], strict=True))
    return ActivationCache(streams, values, vit.finish(streams[-1]))


def repeated(one: ActivationCache, count: int) -> ActivationCache:
    """Repeat the activations of 1 image without copying them.

    Parameters
    ----------
    one : ActivationCache
        Of 1 image.
    count : int
        Number of images of the result.

    Returns
    -------
    ActivationCache
    """
    return replace(
        one,
        streams=[stream.expand(count, -1, -1) for stream in one.streams],
        values={key: value.expand(count, -1, -1, -1) for key, value in one.values.items()},
        logits=one.logits.expand(count, -1),
    )
