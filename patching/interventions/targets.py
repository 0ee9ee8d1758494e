"""Where an activation is replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError, did_you_mean
from patching.vit.hook_points import group_count, hook_point
from patching.vit.residual_vit import ResidualViT

EMBEDDINGS = ("patch_embed", "pos_embed")
"""The addends of the stream before block 0; the learned prefix tokens are the third."""
STREAM = ("resid_pre", "resid_mid", "resid_post")
"""The residual stream before a block, between its sublayers, and behind it."""
BETWEEN = (*EMBEDDINGS, *STREAM)
"""What is replaced between sublayers and not in the course of one."""
OUTPUTS = ("attn_out", "mlp_out")
"""What attention and MLP add to the stream."""
INSIDE_ATTENTION = ("q", "k", "v", "z", "pattern")
INSIDE = (*INSIDE_ATTENTION, "neurons")
KINDS = (*BETWEEN, *OUTPUTS, *INSIDE)


@dataclass(frozen=True)
class PatchTarget:
    """One activation of one layer, or a part of it.

    Attributes
    ----------
    kind : str
        One of `KINDS`; inside attention in the words of TransformerLens. ``z`` is what the output
        projection reads, ``pattern`` the attention after its softmax, whose tokens are queries.
        ``neurons`` are the MLP's after the nonlinearity.
    layer : int
        Number of the block; 0 for embeddings.
    tokens : tuple of int or None
        Which tokens, prefix tokens first; None for all.
    groups : tuple of int or None
        Which heads, or neurons; None for all. Embeddings, streams and outputs have no groups.
    """

    kind: str
    layer: int
    tokens: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None

    @property
    def sublayer(self) -> int:
        """Number of the sublayer-block in whose course it is replaced, or before which.

        Two a block; the stream behind the last block comes before a sublayer that is not there.
        """
        offsets = {"resid_mid": 1, "resid_post": 2, "mlp_out": 1, "neurons": 1}
        return 2 * self.layer + offsets.get(self.kind, 0)

    def replace(self, own: Tensor, other: Tensor) -> Tensor:
        """Take another value at the target's tokens and groups, and the own everywhere else.

        Parameters
        ----------
        own, other : Tensor, shape (N, T, G, D)
        """
        if self.tokens is None and self.groups is None:
            return other
        tokens = _mask(own.shape[1], self.tokens, own.device)
        groups = _mask(own.shape[2], self.groups, own.device)
        return torch.where((tokens[:, None] & groups)[..., None], other, own)


Patch = tuple[PatchTarget, ...]
"""Spots that are replaced together, such as a window of layers."""


def _mask(count: int, chosen: tuple[int, ...] | None, device: torch.device) -> Tensor:
    """Mark what is chosen; slice by slice, since a list of numbers would have to be copied."""
    mask = torch.full((count,), chosen is None, device=device)
    numbers = sorted(set(chosen or ()))
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number + 1 for number in numbers if number + 1 not in numbers]
    for start, end in zip(starts, ends, strict=True):
        mask[start:end] = True
    return mask


def check_targets(vit: ResidualViT, targets: Iterable[PatchTarget]) -> None:
    """Refuse targets that a model does not have: a kind, block, token, head or neuron.

    Raises
    ------
    FeatvizError
        That names the first such target, and what there is.
    """
    for target in set(targets):
        _check_kind(vit, target)
        where = f"{target.kind} of block {target.layer} of {vit.model.name}"
        _check_numbers(f"tokens in {where}", target.tokens, vit.tokens)
        if target.groups is None:
            continue
        if target.kind not in INSIDE:
            raise FeatvizError(f"{where} has neither heads nor neurons to choose from")
        what = "heads" if target.kind in INSIDE_ATTENTION else "neurons"
        count = group_count(vit.sublayers[target.sublayer], target.kind)
        _check_numbers(f"{what} in {where}", target.groups, count)


def _check_kind(vit: ResidualViT, target: PatchTarget) -> None:
    name = vit.model.name
    if target.kind not in KINDS:
        hint = did_you_mean(target.kind, KINDS) or f"; there are {', '.join(KINDS)}"
        raise FeatvizError(f"there is nothing to patch by the name of {target.kind}{hint}")
    if not 0 <= target.layer < vit.depth:
        raise FeatvizError(f"{name} has blocks 0-{vit.depth - 1}, so no block {target.layer}")
    if target.kind in INSIDE:
        hook_point(vit.sublayers[target.sublayer], target.kind)
    if target.kind not in EMBEDDINGS:
        return
    if target.layer:
        raise FeatvizError(f"{target.kind} comes before block 0, not before block {target.layer}")
    if vit.embedding is None:
        raise FeatvizError(f"{name} does more than add its embeddings up, so no {target.kind}")
    if target.kind == "pos_embed" and vit.embedding.positions is None:
        raise FeatvizError(f"{name} adds no position embedding to its patches")


def _check_numbers(what: str, numbers: tuple[int, ...] | None, count: int) -> None:
    if numbers is None:
        return
    if not numbers:
        raise FeatvizError(f"no {what} are named")
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong:
        raise FeatvizError(f"there are {what} 0-{count - 1}, so no {wrong[0]}")
