"""Query-key modes: the singular value decomposition of the query-key matrix of a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from featviz.addressing.address import Mode, Unit
from featviz.errors import FeatvizError
from featviz.models.attention import Heads, fold_norm, require_heads

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Modes:
    """Singular vectors of ``W_q' W_k`` of every head, the strongest mode first.

    With the normalization and the biases folded in, the logit of tokens i and j, without the
    relative position bias that some models add, is the sum over modes of
    ``strength * (query_m . [n_i, 1]) * (key_m . [n_j, 1])``.

    Attributes
    ----------
    strength : Tensor, shape (heads, head_dim)
        Singular values times the scale of the logits, in descending order.
    query, key : Tensor, shape (heads, head_dim, channels + 1)
        Unit vectors of each mode, in the space of normalized tokens before the normalization's
        gain and bias; the last entry belongs to the constant 1.
    from_query, from_key : Tensor, shape (heads, head_dim, head_dim)
        The dot product of row m and a head's query (or key) is its coefficient along mode m.
    """

    strength: Tensor
    query: Tensor
    key: Tensor
    from_query: Tensor
    from_key: Tensor


def modes_of(heads: Heads, norm: nn.Module | None) -> Modes:
    """Decompose the query-key matrix of every head.

    Parameters
    ----------
    heads : Heads
        Bilinear ones.
    norm : nn.Module or None
        The normalization whose output the attention reads; folded into the projections.

    Returns
    -------
    Modes
        In float64. The sign of a mode makes the largest entry of its query vector positive.

    Source: Millidge and Black, "The Singular Value Decompositions of Transformer Weight Matrices
    are Highly Interpretable", 2022; Pan et al., "Dissecting Query-Key Interaction in Vision
    Transformers", 2024.
    """
    query, key = fold_norm(heads.query, norm), fold_norm(heads.key, norm)
    # Two thin QR factorizations instead of a large SVD: the product has rank head_dim at most.
    query_basis, query_mix = torch.linalg.qr(query.mT)
    key_basis, key_mix = torch.linalg.qr(key.mT)
    left, strength, right = torch.linalg.svd(query_mix @ key_mix.mT)
    largest = (query_basis @ left).abs().argmax(-2, keepdim=True)
    sign = (query_basis @ left).gather(-2, largest).sign()
    left, right = left * sign, right.mT * sign
    return Modes(
        strength * heads.scale,
        (query_basis @ left).mT,
        (key_basis @ right).mT,
        (torch.linalg.pinv(query_mix) @ left).mT,
        (torch.linalg.pinv(key_mix) @ right).mT,
    )


def mode_strengths(model: VisionModel, units: Sequence[Unit]) -> list[tuple[float, float]]:
    """Return how strong modes are.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        Query-key modes, at any tokens.

    Returns
    -------
    list of (float, float)
        For each unit its strength, and its squared strength as a fraction of the sum of squares
        over the modes of the head, in [0, 1].

    Raises
    ------
    FeatvizError
        If a unit is not a mode, or the model has no such site.
    """
    known: dict[str, Tensor] = {}
    found = []
    for unit in units:
        site = model.sites[unit.site]
        if not isinstance(unit.index, Mode):
            raise FeatvizError(f"{unit} is not a mode; one looks like blocks.2.attn.qk_mode:0.3")
        if site.path not in known:
            heads = require_heads(model.module.get_submodule(site.owner), site.owner)
            norm = None if site.norm is None else model.module.get_submodule(site.norm)
            known[site.path] = modes_of(heads, norm).strength
        strength = known[site.path][unit.index.head]
        power = strength.square()
        share = power[unit.index.mode] / power.sum()
        found.append((float(strength[unit.index.mode]), float(share)))
    return found
