"""Textures of objects, and noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from featviz.cueworld.random_draws import Draws


def textures(s: Tensor, t: Tensor, rho: Tensor) -> tuple[Tensor, ...]:
    """Compute stripes, checker, dots, scales, hatch and rings, in this order.

    Parameters
    ----------
    s, t : Tensor, any shape
        Two perpendicular surface coordinates in periods of the texture.
    rho : Tensor, same shape
        Distance from the center of the object in periods, for the rings.

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


def noise(size: int, decay: float, draws: Draws) -> Tensor:
    """Draw random fields whose amplitude spectrum is proportional to ``1 / f**decay``.

    Parameters
    ----------
    size : int
        Side in pixels.
    decay : float
        Exponent.
    draws : Draws
        Source of the random phases.

    Returns
    -------
    Tensor, shape (N, 1, size, size)
        Each field has mean 0 and standard deviation 1.
    """
    down = torch.fft.fftfreq(size)[:, None]
    across = torch.fft.rfftfreq(size)[None]
    amplitude = (down**2 + across**2).sqrt().clamp_min(1 / size) ** -decay
    amplitude[0, 0] = 0
    phase = 2 * math.pi * draws(1, size, size // 2 + 1)
    spectrum = torch.polar(amplitude.to(phase.device).expand_as(phase), phase)
    field: Tensor = torch.fft.irfft2(spectrum, s=(size, size))
    return field / field.std((-2, -1), keepdim=True)
