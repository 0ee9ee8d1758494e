"""Attention patterns with replaced queries or keys, for estimates where the softmax is saturated.

Where a head gives nearly all attention to one key, the softmax has hardly any slope, and the
gradient at queries and keys misses what replacing them does. The pattern itself is cheap to
recompute, so that only the rest of the network is linearized: the effect is the exact change of the
pattern times the gradient of the metric at the pattern.

Source: Kramár et al., "AtP*: An efficient and scalable method for localizing LLM behavior to
components", 2024, section 3.1.1 ("QK fix").
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from patching.forward.cache import ActivationCache
from patching.interventions.patch_targets import PatchTarget
from patching.vit.hook_points import Change, group_count, hooked
from patching.vit.residual_vit import ResidualViT

CORRECTED = ("q", "k")
"""Kinds of activations that act through the softmax only."""


def base_pattern(vit: ResidualViT, base: ActivationCache, layer: int) -> Tensor:
    """Compute the attention pattern of a block in the base run, (N, T, heads, T)."""
    return _pattern(vit, base, layer, None, base)


def patched_pattern(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, target: PatchTarget
) -> Tensor:
    """Compute the attention pattern of the base run with queries or keys of the donor.

    Parameters
    ----------
    vit : ResidualViT
    base, donor : ActivationCache
        Of N images, with the activation of the target.
    target : PatchTarget
        Of queries or keys.

    Returns
    -------
    Tensor, shape (N, T, heads, T)
        By query, head and key.
    """
    return _pattern(vit, base, target.layer, target, donor)


def _pattern(
    vit: ResidualViT,
    base: ActivationCache,
    layer: int,
    target: PatchTarget | None,
    donor: ActivationCache,
) -> Tensor:
    found: list[Tensor] = []

    def read(pattern: Tensor) -> Tensor:
        found.append(pattern.detach())
        return pattern

    changes: dict[str, Change] = {"pattern": read}
    if target is not None:
        changes[target.kind] = lambda own: target.replace(own, donor.value(target))
    with torch.no_grad(), hooked(vit.sublayers[2 * layer], changes):
        vit.sublayers[2 * layer].branch(base.streams[2 * layer])
    return found[0]


def key_effects(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Iterable[PatchTarget],
    own: Tensor,
    gradient: Tensor,
) -> dict[tuple[int, ...] | None, Tensor]:
    """Estimate the effects of replacing keys, for each set of tokens by itself.

    A key takes part in the softmax of every query, so the effects of several keys do not add up,
    while those of several queries do. Each set of tokens needs a run of the attention.

    Parameters
    ----------
    vit : ResidualViT
    base, donor : ActivationCache
        Of N images, with the keys of the block.
    targets : iterable of PatchTarget
        Keys of one block; their groups are ignored.
    own, gradient : Tensor, shape (N, T, heads, T)
        The pattern of the base run, and the gradient of the metric at it.

    Returns
    -------
    dict of tokens to Tensor, each of shape (N, G)
        By the tokens of the targets, where G counts heads, or groups of heads that share keys.
    """
    effects = {}
    for tokens, target in {target.tokens: target for target in targets}.items():
        whole = PatchTarget("k", target.layer, tokens)
        change = patched_pattern(vit, base, donor, whole) - own
        count = group_count(vit.sublayers[whole.sublayer], "k")
        by_head = (change * gradient).sum((1, 3))
        effects[tokens] = by_head.view(len(by_head), count, -1).sum(-1)
    return effects
