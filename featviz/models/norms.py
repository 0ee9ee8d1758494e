"""Normalisation folded into the weights behind it."""

from __future__ import annotations

import torch
from timm.layers.norm import RmsNorm
from torch import Tensor, nn

from featviz.models.attention import Projection

NORMS = (nn.LayerNorm, nn.RMSNorm, RmsNorm)


def fold(projection: Projection, norm: nn.Module | None) -> Tensor:
    """Write a projection as one matrix of what comes before the normalisation's gain and bias.

    With ``n`` the normalised token, ``x = gain * n + bias`` is what attention reads, and the
    query of a head is ``W x + b = W' [n, 1]``. The mean that LayerNorm takes from ``n`` is taken
    from the rows of ``W'`` too, as n never has any.

    Parameters
    ----------
    norm : nn.Module or None
        A `LayerNorm` or `RmsNorm`; None if attention reads something else.

    Returns
    -------
    Tensor, shape (heads, head_dim, channels + 1), float64
        The last column is the constant part.

    Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021 (query-key
    circuit); TransformerLens, ``fold_layer_norm``.
    """
    weight = projection.weight.double()
    constant = weight.new_zeros(weight.shape[:2])
    if projection.bias is not None:
        constant = constant + projection.bias.double()
    shift = getattr(norm, "bias", None)
    if shift is not None:
        constant = constant + weight @ shift.detach().double()
    gain = getattr(norm, "weight", None)
    if gain is not None:
        weight = weight * gain.detach().double()
    if isinstance(norm, nn.LayerNorm):
        weight = weight - weight.mean(-1, keepdim=True)
    return torch.cat([weight, constant[..., None]], -1)
