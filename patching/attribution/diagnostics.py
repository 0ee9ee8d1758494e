"""Diagnostics of attribution patching: reasons to distrust a first-order estimate."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from patching.forward.cache import ActivationCache
from patching.forward.stream_norms import norms_of
from patching.interventions.patch_targets import (
    INSIDE,
    KINDS,
    OUTPUTS,
    STREAM,
    ActivationKey,
    PatchTarget,
)
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT

ONE_HOT = 0.95
"""Attention to one key above which a query is saturated: the slope p(1 - p) is below 0.05."""

SATURATED = 0.1
"""Fraction of saturated heads' queries in a layer above which it is reported."""

RESCALED = 1.5
"""Ratio of a norm's scales before and after replacing, in either direction, to report."""

NONLINEAR = 5.0
"""Ratio of the metric's first-order and exact change, in either direction, to report."""

IMAGES = 16
"""Number of images that saturation is measured on."""


def diagnostics(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    keys: Collection[ActivationKey],
    total: tuple[float, float],
    steps: int = 0,
    frozen: bool = False,
    direct: bool = False,
) -> list[str]:
    """List conditions under which gradients are known to mislead about replacing activations.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        The run that is patched, with the activations of all `keys`.
    donor : ActivationCache
        The run that activations are taken from.
    keys : collection of (kind, layer)
        What is replaced; for latents, the path of their site is in place of the kind.
    total : (float, float)
        Increase of the metric from the base run to the donor run, averaged over images: exact, and
        to first order in the stream before the first block; for direct effects, after the last.
    steps : int
        Number of points between base and donor that the gradient is averaged over; 0 if it is the
        gradient at the base run.
    frozen : bool
        Whether the norms of the stream keep the scale of the base run.
    direct : bool
        Whether effects through later sublayers are excluded.

    Returns
    -------
    list of str
        Sentences. An empty list does not show that the estimates are right.

    Those of outputs, and of averaged gradients of neurons, were found on cueworld/vit.

    Source: Nanda, "Attribution Patching", 2023 (residual stream, LayerNorm); Kramár et al., "AtP*:
    An efficient and scalable method for localizing LLM behavior to components", 2024 (saturated
    attention).
    """
    if not keys:
        return []
    kinds = {kind for kind, _ in keys}
    if steps:
        return [*_of_streams(kinds), *_of_averaged_neurons(kinds)]
    found = [*_of_metric(total), *_of_streams(kinds), *_of_outputs(kinds)]
    if not direct:
        found += _of_attention(saturation(vit, base), min(layer for _, layer in keys))
    if not (direct or frozen):
        found += _of_norms(scale_changes(vit, base, donor, keys))
    return found


def saturation(vit: ResidualViT, base: ActivationCache) -> list[float | None]:
    """Measure how much of the attention is nearly one-hot, where its softmax has little slope.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        Its first `IMAGES` images are used.

    Returns
    -------
    list of float or None, one for each block
        Fraction of queries, over heads and images, that give more than `ONE_HOT` of their
        attention to one key; None if the model does not expose the pattern.
    """
    return list(_saturation(vit, base))


def _saturation(vit: ResidualViT, base: ActivationCache) -> Iterator[float | None]:
    for index in range(0, len(vit.sublayers), 2):
        sublayer, shares = vit.sublayers[index], list[float]()

        def measure(pattern: Tensor, shares: list[float] = shares) -> Tensor:
            shares.append((pattern.amax(-1) > ONE_HOT).double().mean().item())
            return pattern

        try:
            with torch.no_grad(), hooked(sublayer, {"pattern": measure}):
                sublayer.branch(base.streams[index][:IMAGES])
        except FeatvizError:
            yield None
        else:
            yield shares[0]


def scale_changes(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, keys: Collection[ActivationKey]
) -> dict[ActivationKey, float]:
    """Measure how much replacing a stream or an output changes the scale of the next norm.

    Heads, neurons and latents are skipped: a single one changes the scale little.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        The run that is patched.
    donor : ActivationCache
        The run that activations are taken from.
    keys : collection of (kind, layer)

    Returns
    -------
    dict of (kind, layer) to float
        For activations that a norm of the stream follows: the 90th percentile, over images and
        tokens, of the ratio of the larger of the two scales to the smaller, at least 1.
    """
    norms = {norm.start: norm for norm in norms_of(vit) if norm.reads_stream(vit)}
    changes = {}
    for kind, layer in keys:
        target = PatchTarget(kind, layer)
        after = target.sublayer + (kind in OUTPUTS)
        if kind in INSIDE or kind not in KINDS or after not in norms:
            continue
        stream, norm = base.streams[after], norms[after]
        replaced = stream + (donor.value(target) - base.value(target))[:, :, 0]
        ratio = (norm.scale(stream) / norm.scale(replaced)).log().abs()
        # The smallest value that at least nine in ten do not exceed; quantile() has a size limit.
        rank = -(-9 * ratio.numel() // 10)
        changes[kind, layer] = ratio.flatten().kthvalue(rank).values.exp().item()
    return changes


def _of_metric(total: tuple[float, float]) -> Iterator[str]:
    exact, estimated = total
    if exact and not 1 / NONLINEAR < estimated / exact < NONLINEAR:
        yield (
            f"the metric is far from linear between the runs: it changes by {exact:.3g}, but by "
            f"{estimated:.3g} to first order (probabilities near 0 or 1, for example, have little "
            "slope)"
        )


def _of_streams(kinds: set[str]) -> Iterator[str]:
    streams = sorted(kinds & set(STREAM))
    if streams:
        yield (
            f"{', '.join(streams)}: replacing the residual stream is a large change, for which "
            "gradients are often wrong; check against exact patching"
        )


def _of_outputs(kinds: set[str]) -> Iterator[str]:
    outputs = sorted(kinds & set(OUTPUTS))
    if outputs:
        yield (
            f"{', '.join(outputs)}: replacing a whole output is a large change; gradients averaged "
            "over a few steps are more accurate"
        )


def _of_averaged_neurons(kinds: set[str]) -> Iterator[str]:
    if "neurons" in kinds:
        yield (
            "neurons: gradients averaged over steps divide the joint effect of all neurons of a "
            "block among them; for a single neuron the gradient at the base run is more accurate"
        )


def _of_attention(shares: list[float | None], first: int) -> Iterator[str]:
    hidden = [block for block, share in enumerate(shares) if share is None and block >= first]
    if hidden:
        yield (
            f"the attention of blocks {_listed(hidden)} does not expose its pattern, so its "
            "saturation is not measured"
        )
    saturated = {block: share for block, share in enumerate(shares) if share and share > SATURATED}
    saturated = {block: share for block, share in saturated.items() if block >= first}
    if saturated:
        worst = max(saturated, key=lambda block: saturated[block])
        yield (
            f"the attention of blocks {_listed(saturated)} is saturated: in block {worst}, "
            f"{saturated[worst]:.0%} of the heads' queries give over {ONE_HOT:.0%} to one key, "
            "where the gradient through queries and keys is near 0"
        )


def _of_norms(changes: dict[ActivationKey, float]) -> Iterator[str]:
    large = {key: change for key, change in changes.items() if change > RESCALED}
    if large:
        kind, layer = worst = max(large, key=lambda key: large[key])
        yield (
            f"replacing {_names(large)} changes the scale of the next LayerNorm, most for {kind} "
            f"of block {layer}: by a factor over {large[worst]:.1f} in a tenth of the tokens"
        )


def _names(keys: Collection[ActivationKey]) -> str:
    kinds = sorted({kind for kind, _ in keys})
    return ", ".join(
        f"{kind} of blocks {_listed([b for k, b in keys if k == kind])}" for kind in kinds
    )


def _listed(blocks: Collection[int]) -> str:
    return ", ".join(map(str, sorted(blocks)))
