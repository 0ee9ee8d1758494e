"""Surface patterns: where the dark paint goes."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def surfaces(s: Tensor, t: Tensor, rho: Tensor) -> tuple[Tensor, ...]:
    """Stripes, checker, dots, scales, hatch and rings, in this order.

    Parameters
    ----------
    s, t : Tensor, any shape
        Two perpendicular surface coordinates, one period a unit.
    rho : Tensor, same shape
        Distance from the object's center in the same unit, for the rings.

    Returns
    -------
    tuple of six Tensors, same shape
        Darkness in [0, 1].
    """
    shifted = _cell(s + 0.5 * torch.remainder(torch.floor(t), 2))  # every other row half a period
    arc = (shifted**2 + torch.remainder(t, 1) ** 2).sqrt()
    return (
        _edge(torch.sin(2 * math.pi * s)),
        _edge(2 * torch.sin(math.pi * s) * torch.sin(math.pi * t)),
        _edge(4 * (0.3 - (shifted**2 + _cell(t) ** 2).sqrt())),
        _edge(6 * (0.14 - (arc - 0.62).abs())),
        _edge(6 * (0.12 - torch.minimum(_cell(s).abs(), _cell(t).abs()))),
        _edge(torch.sin(2 * math.pi * rho)),
    )


def _edge(level: Tensor) -> Tensor:
    return torch.sigmoid(8 * level)


def _cell(coordinate: Tensor) -> Tensor:
    """Signed distance to the middle of the period, in [-0.5, 0.5)."""
    return torch.remainder(coordinate, 1) - 0.5
