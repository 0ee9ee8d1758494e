"""Why a first-order estimate of a patch may be wrong, told from the two runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from patching.forward.cache import ActivationCache
from patching.interventions.targets import INSIDE, OUTPUTS, STREAM, PatchTarget
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.stream_norms import norms_of

Place = tuple[str, int]
"""A kind of activation and its layer."""

ONE_HOT = 0.95
"""A query is saturated if one key has more of its attention: the slope p(1 - p) is below 0.05."""

SATURATED = 0.1
"""Share of a layer's heads and queries above which it is told."""

RESCALED = 1.5
"""Ratio of a norm's scales before and after replacing, either way, above which it is told."""

FAR = 5.0
"""Ratio of the metric's first-order and exact change, either way, above which it is told."""

IMAGES = 16
"""Images that attention is measured on."""


def doubts(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    places: Collection[Place],
    total: tuple[float, float],
    steps: int = 0,
) -> list[str]:
    """Say where a gradient at the base run is known to mislead about replacing activations.

    Parameters
    ----------
    places : collection of (kind, layer)
        What is replaced.
    total : (float, float)
        How much the metric rises from the base run to the donor's, exactly and to first order in
        the stream before the first block; averages over images.
    steps : int
        Over how many points of the way from base to donor the gradient is an average; 0 is at the
        base alone.

    Returns
    -------
    list of str
        Sentences; none if nothing speaks against the estimates, which does not make them right.

    What is told of outputs, and of averages for neurons, was measured on cueworld/vit.

    Source: Nanda, "Attribution Patching", 2023 (residual stream, LayerNorm); Kramár et al., "AtP*:
    An efficient and scalable method for localizing LLM behavior to components", 2024 (saturated
    attention).
    """
    if not places:
        return []
    kinds = {kind for kind, _ in places}
    if steps:
        return [*_of_streams(kinds), *_of_shares(kinds)]
    return [
        *_of_metric(total),
        *_of_streams(kinds),
        *_of_outputs(kinds),
        *_of_attention(saturation(vit, base), min(layer for _, layer in places)),
        *_of_norms(scale_changes(vit, base, donor, places)),
    ]


def saturation(vit: ResidualViT, base: ActivationCache) -> list[float | None]:
    """Measure in how far attention is near one-hot, where its softmax has little slope.

    Returns
    -------
    list of float or None, one a block
        Share of heads and queries, over up to `IMAGES` images, that give more than `ONE_HOT` of
        their attention to one key; None where the pattern is never shown.
    """
    return list(_saturation(vit, base))


def _saturation(vit: ResidualViT, base: ActivationCache) -> Iterator[float | None]:
    for number in range(0, len(vit.sublayers), 2):
        sublayer, shares = vit.sublayers[number], list[float]()

        def measure(pattern: Tensor, shares: list[float] = shares) -> Tensor:
            shares.append((pattern.amax(-1) > ONE_HOT).double().mean().item())
            return pattern

        try:
            with torch.no_grad(), hooked(sublayer, {"pattern": measure}):
                sublayer.branch(base.streams[number][:IMAGES])
        except FeatvizError:
            yield None
        else:
            yield shares[0]


def scale_changes(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, places: Collection[Place]
) -> dict[Place, float]:
    """Measure how much replacing a stream or an output changes the scale of the next norm.

    Heads and neurons are left out: one of many, they change it little.

    Returns
    -------
    dict of (kind, layer) to float
        The 90th percentile, over images and tokens, of the larger of the two scales by the
        smaller, at least 1; for places that a norm of the stream follows.
    """
    norms = {norm.start: norm for norm in norms_of(vit) if norm.reads_stream(vit)}
    changes = {}
    for kind, layer in places:
        target = PatchTarget(kind, layer)
        after = target.sublayer + (kind in OUTPUTS)
        if kind in INSIDE or after not in norms:
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
    if exact and not 1 / FAR < estimated / exact < FAR:
        yield (
            f"the metric is far from linear between the runs: it changes by {exact:.3g}, and by "
            f"{estimated:.3g} to first order (a probability near 0 or 1 has little slope, for one)"
        )


def _of_streams(kinds: set[str]) -> Iterator[str]:
    streams = sorted(kinds & set(STREAM))
    if streams:
        yield (
            f"{', '.join(streams)}: replacing the residual stream is a large step, for which a "
            "gradient is often wrong; check against exact patching"
        )


def _of_outputs(kinds: set[str]) -> Iterator[str]:
    outputs = sorted(kinds & set(OUTPUTS))
    if outputs:
        yield (
            f"{', '.join(outputs)}: replacing a whole output is a large step; gradients averaged "
            "over a few steps come nearer"
        )


def _of_shares(kinds: set[str]) -> Iterator[str]:
    if "neurons" in kinds:
        yield (
            "neurons: gradients averaged while all neurons of a block move share out their joint "
            "effect; for one neuron the gradient at the base run is nearer"
        )


def _of_attention(shares: list[float | None], first: int) -> Iterator[str]:
    unseen = [block for block, share in enumerate(shares) if share is None and block >= first]
    if unseen:
        yield f"attention of blocks {_listed(unseen)} shows no pattern: saturation is not measured"
    full = {block: share for block, share in enumerate(shares) if share and share > SATURATED}
    full = {block: share for block, share in full.items() if block >= first}
    if full:
        worst = max(full, key=lambda block: full[block])
        yield (
            f"attention of blocks {_listed(full)} is saturated: in block {worst}, "
            f"{full[worst]:.0%} of heads' queries give over {ONE_HOT:.0%} to one key, where the "
            "gradient through queries and keys is near 0"
        )


def _of_norms(changes: dict[Place, float]) -> Iterator[str]:
    large = {place: change for place, change in changes.items() if change > RESCALED}
    if large:
        kind, layer = worst = max(large, key=lambda place: large[place])
        yield (
            f"replacing {_names(large)} changes the scale of the next LayerNorm, most {kind} of "
            f"block {layer}: over {large[worst]:.1f} times in a tenth of the tokens"
        )


def _names(places: Collection[Place]) -> str:
    kinds = sorted({kind for kind, _ in places})
    return ", ".join(
        f"{kind} of blocks {_listed([b for k, b in places if k == kind])}" for kind in kinds
    )


def _listed(blocks: Collection[int]) -> str:
    return ", ".join(map(str, sorted(blocks)))
