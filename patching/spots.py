"""Where an activation is replaced."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

STREAM = ("resid_pre", "resid_mid", "resid_post")
"""The residual stream before a block, between its halves, and behind it."""
OUTPUTS = ("attn_out", "mlp_out")
"""What attention and MLP add to the stream."""
INSIDE_ATTENTION = ("q", "k", "v", "z", "pattern")
INSIDE = (*INSIDE_ATTENTION, "neurons")
KINDS = (*STREAM, *OUTPUTS, *INSIDE)


@dataclass(frozen=True)
class Spot:
    """One activation of one layer, or a part of it.

    Attributes
    ----------
    kind : str
        One of `KINDS`; inside attention in the words of TransformerLens. ``z`` is what the output
        projection reads, ``pattern`` the attention after its softmax, whose tokens are queries.
        ``neurons`` are the MLP's after the nonlinearity.
    layer : int
        Number of the block.
    tokens : tuple of int or None
        Which tokens, prefix tokens first; None for all.
    groups : tuple of int or None
        Which heads, or neurons; None for all. Streams and outputs have no groups.
    """

    kind: str
    layer: int
    tokens: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None

    @property
    def half(self) -> int:
        """Number of the half-block in whose course it is replaced, or before which.

        Two a block; the stream behind the last block comes before a half that is not there.
        """
        offsets = {"resid_mid": 1, "resid_post": 2, "mlp_out": 1, "neurons": 1}
        return 2 * self.layer + offsets.get(self.kind, 0)

    def replace(self, own: Tensor, other: Tensor) -> Tensor:
        """Take another value at the spot's tokens and groups, and the own everywhere else.

        Parameters
        ----------
        own, other : Tensor, shape (N, T, G, D)
        """
        if self.tokens is None and self.groups is None:
            return other
        mask = torch.ones(own.shape[1:3], dtype=torch.bool, device=own.device)
        if self.tokens is not None:
            mask[_outside(own.shape[1], self.tokens)] = False
        if self.groups is not None:
            mask[:, _outside(own.shape[2], self.groups)] = False
        return torch.where(mask[..., None], other, own)


Patch = tuple[Spot, ...]
"""Spots that are replaced together, such as a window of layers."""


def _outside(count: int, chosen: tuple[int, ...]) -> list[int]:
    return [number for number in range(count) if number not in set(chosen)]
