"""Donors that no run left: activations set to zero, or to their mean over images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from patching.forward.cache import Run, run
from patching.interventions.targets import Patch
from patching.vit.residual_vit import Trunk

ABLATIONS = ("zero", "mean", "resample")
"""``resample``, another image's activations, takes the run of that image, and nothing from here."""


def zeros(trunk: Trunk, like: Run) -> Run:
    """Make a donor all of whose activations are 0.

    Returns
    -------
    Run
        Of as many images as `like`. Its logits are what the head makes of a stream of zeros.
    """
    streams = [torch.zeros_like(stream) for stream in like.streams]
    values = {key: torch.zeros_like(value) for key, value in like.values.items()}
    return Run(streams, values, trunk.finish(streams[-1]))


def mean_run(trunk: Trunk, starts: Iterable[Tensor], patches: Sequence[Patch]) -> Run:
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
    Run
        Of 1 image. Its logits are what the head makes of the mean of the last stream, not the mean
        of logits.

    Raises
    ------
    FeatvizError
        If there is no image, or the model has no such spots.
    """
    total: list[Tensor] | None = None
    count, example = 0, None
    for start in starts:
        example = run(trunk, start, patches)
        found = [*example.streams, *example.values.values()]
        sums = [one.sum(0, keepdim=True, dtype=torch.float64) for one in found]
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
        count += len(start)
    if total is None or example is None:
        raise FeatvizError("there are no images to average over")
    means = [(one / count).to(example.streams[0].dtype) for one in total]
    streams = means[: len(example.streams)]
    values = dict(zip(example.values, means[len(streams) :], strict=True))
    return Run(streams, values, trunk.finish(streams[-1]))


def repeated(one: Run, count: int) -> Run:
    """Let a run of 1 image stand for as many."""
    return replace(
        one,
        streams=[stream.expand(count, -1, -1) for stream in one.streams],
        values={key: value.expand(count, -1, -1, -1) for key, value in one.values.items()},
        logits=one.logits.expand(count, -1),
    )
