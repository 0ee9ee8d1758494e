"""Colors of a chosen hue whose luminance is exact, and noise to vary them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from featviz.cueworld.dice import Dice

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance, after ITU-R Recommendation BT.601."""


def paint(hue: Tensor, luma: Tensor, fade: Tensor | None = None) -> Tensor:
    """RGB of a hue at a luminance, as saturated as that luminance allows.

    The fully saturated color is mixed with black or with white until its luminance is right,
    so that luminance tells nothing about hue.

    Parameters
    ----------
    hue : Tensor, shape (N,)
        Position on the color circle, in turns: 0 red, 1/3 green, 2/3 blue.
    luma : Tensor, shape (N,)
        Luminance wanted, in [0, 1].
    fade : Tensor, shape (N,), optional
        Share of gray of the same luminance, in [0, 1]; none by default.

    Returns
    -------
    Tensor, shape (N, 3)
        RGB in [0, 1].
    """
    offset = hue.new_tensor([0.0, 2 / 3, 1 / 3])
    rgb = (6 * ((hue[:, None] + offset) % 1 - 0.5).abs() - 1).clamp(0, 1)
    have = (rgb * hue.new_tensor(LUMA)).sum(1)
    darker = rgb * (luma / have)[:, None]
    lighter = rgb + (1 - rgb) * ((luma - have) / (1 - have).clamp_min(1e-6))[:, None]
    vivid = torch.where((luma <= have)[:, None], darker, lighter).clamp(0, 1)
    return vivid if fade is None else torch.lerp(vivid, luma[:, None], fade[:, None])


def noise(size: int, decay: float, dice: Dice) -> Tensor:
    """Random fields whose amplitude spectrum falls as ``1 / f**decay``.

    Returns
    -------
    Tensor, shape (N, 1, size, size)
        Each field has mean 0 and standard deviation 1.
    """
    down = torch.fft.fftfreq(size)[:, None]
    across = torch.fft.rfftfreq(size)[None]
    fall = (down**2 + across**2).sqrt().clamp_min(1 / size) ** -decay
    fall[0, 0] = 0
    phase = 2 * math.pi * dice(1, size, size // 2 + 1)
    spectrum = torch.polar(fall.to(phase.device).expand_as(phase), phase)
    field: Tensor = torch.fft.irfft2(spectrum, s=(size, size))
    return field / field.std((-2, -1), keepdim=True)
