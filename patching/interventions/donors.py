"""Patching between models: whether the activations of one fit into another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.targets import Patch
from patching.vit.residual_vit import ResidualViT


def check_alike(vit: ResidualViT, source: ResidualViT) -> None:
    """Refuse a source of activations whose shape is not the patched model's.

    Raises
    ------
    FeatvizError
        Naming the first difference: image size, blocks, tokens, channels or logits.
    """
    ours, theirs = _shape(vit), _shape(source)
    for what, own in ours.items():
        if own != theirs[what]:
            raise FeatvizError(
                f"activations of {source.model.name} do not fit into {vit.model.name}: "
                f"{theirs[what]} {what} there, {own} here"
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
        "pixels a side": side,
        "blocks": vit.depth,
        "tokens": start.shape[1],
        "channels": start.shape[2],
        "logits": logits.shape[1],
    }


ABLATIONS = ("zero", "mean", "resample")
"""``resample``, another image's activations, takes the run of that image, and nothing from here."""


def zeros(vit: ResidualViT, like: ActivationCache) -> ActivationCache:
    """Make a donor all of whose activations are 0.

    Returns
    -------
    ActivationCache
        Of as many images as `like`. Its logits are what the head makes of a stream of zeros.
    """
    streams = [torch.zeros_like(stream) for stream in like.streams]
    values = {key: torch.zeros_like(value) for key, value in like.values.items()}
    return ActivationCache(streams, values, vit.finish(streams[-1]))


def mean_run(
    vit: ResidualViT, starts: Iterable[Tensor], patches: Sequence[Patch]
) -> ActivationCache:
    """Average the activations of runs over their images, token by token.

    Sums are kept in float64.

    Parameters
    ----------
    starts : iterable of Tensors, shape (N, T, C)
        Residual streams before the first block, batch by batch.
    patches : sequence of Patch
        Whose activations are averaged, besides the streams.

    Returns
    -------
    ActivationCache
        Of 1 image. Its logits are what the head makes of the mean of the last stream, not the mean
        of logits.

    Raises
    ------
    FeatvizError
        If there is no image, or the model has no such targets.
    """
    total: list[Tensor] | None = None
    count, example = 0, None
    for start in starts:
        example = run_with_cache(vit, start, patches)
        found = [*example.streams, *example.values.values()]
        sums = [one.sum(0, keepdim=True, dtype=torch.float64) for one in found]
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
        count += len(start)
    if total is None or example is None:
        raise FeatvizError("there are no images to average over")
    means = [(one / count).to(example.streams[0].dtype) for one in total]
    streams = means[: len(example.streams)]
    values = dict(zip(example.values, means[len(streams) :], strict=True))
    return ActivationCache(streams, values, vit.finish(streams[-1]))


def repeated(one: ActivationCache, count: int) -> ActivationCache:
    """Let a run of 1 image stand for as many."""
    return replace(
        one,
        streams=[stream.expand(count, -1, -1) for stream in one.streams],
        values={key: value.expand(count, -1, -1, -1) for key, value in one.values.items()},
        logits=one.logits.expand(count, -1),
    )
