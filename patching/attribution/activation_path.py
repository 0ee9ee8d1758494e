"""The base run with another value of one activation, and the gradient of a metric along a path."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from patching.forward.cache import ActivationCache
from patching.interventions.patch_targets import INSIDE, OUTPUTS, PatchTarget
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT

Metric = Callable[[Tensor, Tensor], Tensor]
"""From logits (N, classes) and labels (N,) to one number for each image, (N,)."""


def logits_with(
    vit: ResidualViT,
    base: ActivationCache,
    place: PatchTarget,
    own: Tensor,
    value: Tensor,
    direct: bool = False,
) -> Tensor:
    """Run the base run from an activation on, with another value of it.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        Of N images.
    place : PatchTarget
        The whole activation of a kind and layer, without latents.
    own, value : Tensor, shape (N, T, G, D)
        Its value in the base run, and the new one.
    direct : bool
        Whether later sublayers add to the stream what they add in the base run.

    Returns
    -------
    Tensor, shape (N, classes)
        Logits.
    """
    stream, index = base.streams[place.sublayer], place.sublayer
    if place.kind in INSIDE:
        sublayer, index = vit.sublayers[index], index + 1
        with hooked(sublayer, {place.kind: lambda _own: value}):
            after = stream + sublayer.branch(stream)
    elif place.kind in OUTPUTS:
        after, index = stream + value[:, :, 0], index + 1
    else:
        after = stream + (value - own)[:, :, 0]
    if direct:
        return vit.finish(base.streams[-1] + (after - base.streams[index]))
    return vit.finish(vit.run(after, index))


def average_gradient(
    vit: ResidualViT,
    base: ActivationCache,
    place: PatchTarget,
    own: Tensor,
    change: Tensor,
    steps: int,
    metric: Metric,
    labels: Tensor,
    direct: bool = False,
) -> Tensor:
    """Average the gradient of a metric while an activation moves from its own value to another.

    Parameters
    ----------
    vit, base, place, own, direct
        See `logits_with`.
    change : Tensor, shape (N, T, G, D)
        The other value minus the own one.
    steps : int
        Number of points, the midpoints of equal intervals; 0 for the own value only.
    metric : callable
    labels : Tensor, shape (N,)

    Returns
    -------
    Tensor, shape (N, T, G, D)
    """
    points = [(step + 0.5) / steps for step in range(steps)] or [0.0]
    total = torch.zeros_like(change)
    for point in points:
        with torch.enable_grad():
            value = (own + point * change).requires_grad_()
            logits = logits_with(vit, base, place, own, value, direct)
            total += torch.autograd.grad(metric(logits, labels).sum(), value)[0]
    return total / len(points)
