"""Terms of the objective: the activation, diversity among samples, total variation."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]
"""An objective of one's own: ``objective(images, activations)`` is maximized for each image.

``images`` (N, 3, H, W) are the augmented images, RGB, at the model's input size; augmentations may
leave [0, 1]. ``activations`` (N,) are those of the units on them; of a neuron whose ReLU is closed,
the value before it. It returns (N,), differentiably.
"""


def penalized_objective(
    activation: Tensor,
    features: Tensor,
    images: Tensor,
    *,
    samples: int,
    diversity: float,
    tv_weight: float,
) -> Tensor:
    """Sum over pictures of the activation minus penalties.

    Penalties are relative to the unit's own activation, so that one weight suits all units. With
    split images, each of the two counts half.

    Parameters
    ----------
    activation : Tensor, shape (U * D,)
        D samples of each of U units; the samples of a unit are adjacent.
    features : Tensor, shape (S * U * D, positions, channels)
        Of S = 1 image per picture, or of 2 (query and key).
    images : Tensor, shape (S * U * D, 3, H, W)
    samples : int
        D.
    diversity : float
        Coefficient of ``similarity(features) * stop_gradient(abs(activation))``.
    tv_weight : float
        Coefficient of ``total_variation(images) * stop_gradient(abs(activation))``.

    Returns
    -------
    Tensor, shape ()
    """
    total, scale = activation.sum(), activation.detach().abs()
    split = len(images) // len(activation)
    if diversity:
        alike = similarity(features.float().view(-1, samples, *features.shape[1:]))
        weights = scale.view(-1, samples).sum(1).repeat(split) / split
        total = total - diversity * (weights * alike).sum()
    if tv_weight:
        variation = total_variation(images)
        total = total - tv_weight * (scale.repeat(split) / split * variation).sum()
    return total


def similarity(features: Tensor) -> Tensor:
    """Mean cosine similarity between the Gram matrices of the samples of a unit.

    The Gram matrix ``A' A`` of features ``A`` (tokens, channels) describes which channels are
    active together anywhere in the picture. With unit Gram matrices ``g_i`` the sum over pairs is
    ``sum_{i != j} <g_i, g_j> = |sum g|^2 - sum |g|^2``; with fewer tokens than channels the
    products are cheaper as ``<A' A, B' B> = |A B'|_F^2``.

    Parameters
    ----------
    features : Tensor, shape (U, D, T, C)
        Features of D samples of each of U units. Samples of different units are not compared.

    Returns
    -------
    Tensor, shape (U,)
        In [0, 1]: 1 if all samples of a unit have proportional Gram matrices, 0 if these are
        orthogonal, and for a single sample.

    Source: Lucid, ``optvis/objectives.py`` (``diversity``); Olah et al., "Feature
    Visualization", 2017.
    """
    samples, tokens, channels = features.shape[1:]
    if samples == 1:
        return features.new_zeros(len(features))
    pairs = samples * (samples - 1)
    if samples * tokens < channels:
        products = (features[:, :, None] @ features[:, None].mT).square().sum((-2, -1))
        norms = products.diagonal(dim1=1, dim2=2).clamp_min(1e-24).sqrt()
        cosines = products / (norms[:, :, None] * norms[:, None])
        return (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / pairs
    gram = (features.mT @ features).flatten(2)
    gram = gram / gram.norm(dim=2, keepdim=True).clamp_min(1e-12)
    overlap = gram.sum(1).square().sum(1) - gram.square().sum((1, 2))
    mean: Tensor = overlap / pairs
    return mean


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighboring pixels.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)

    Returns
    -------
    Tensor, shape (N,)
        Vertical plus horizontal.
    """
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().mean((1, 2, 3))
    right = (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean((1, 2, 3))
    return down.add(right)
