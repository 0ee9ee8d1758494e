"""What is added to a unit's value: diversity among its samples, and smoothness."""

from __future__ import annotations

from torch import Tensor

from featviz.optimization.recipe import Recipe


def similarity(features: Tensor) -> Tensor:
    """Mean cosine between the Gram matrices of one unit's samples.

    The Gram matrix ``A' A`` of features ``A`` (tokens, channels) tells which channels fire
    together anywhere in the picture. With unit Gram matrices ``g_i`` the sum over pairs is
    ``sum_{i != j} <g_i, g_j> = |sum g|^2 - sum |g|^2``; where tokens are fewer than channels the
    products come cheaper as ``<A' A, B' B> = |A B'|_F^2``.

    Parameters
    ----------
    features : Tensor, shape (U, D, T, C)
        Features of D samples of each of U units. Samples of different units never meet.

    Returns
    -------
    Tensor, shape (U,)
        In [0, 1]: 1 when all samples of a unit have proportional Gram matrices, 0 when they share
        nothing. 0 for a single sample.

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
    """Mean absolute difference of neighboring pixels, shape (N,), of images (N, 3, H, W)."""
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().mean((1, 2, 3))
    right = (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean((1, 2, 3))
    return down.add(right)


def penalized_objective(gain: Tensor, features: Tensor, images: Tensor, recipe: Recipe) -> Tensor:
    """Sum of what each picture is to maximize.

    Penalties are weighed in parts of the size of the unit's own gain, so that one weight suits
    all units. Of two sides, each is penalized by half.

    Parameters
    ----------
    gain : Tensor, shape (U * D,)
        D samples of each unit stand side by side.
    features : Tensor, shape (S * U * D, positions, channels)
        Of one side or two.
    images : Tensor, shape (S * U * D, 3, H, W)
    """
    total, size = gain.sum(), gain.detach().abs()
    sides = len(images) // len(gain)
    if recipe.diversity:
        alike = similarity(features.float().view(-1, recipe.samples, *features.shape[1:]))
        weights = size.view(-1, recipe.samples).sum(1).repeat(sides) / sides
        total = total - recipe.diversity * (weights * alike).sum()
    if recipe.tv_weight:
        rough = total_variation(images)
        total = total - recipe.tv_weight * (size.repeat(sides) / sides * rough).sum()
    return total
