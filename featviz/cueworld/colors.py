"""Colors of a given hue with exact luminance."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance. Source: ITU-R Recommendation BT.601."""


def rgb_of_hue(hue: Tensor, luma: Tensor, gray: Tensor | None = None) -> Tensor:
    """Make the most saturated color of a given hue and luminance.

    The fully saturated color is mixed with black or white until it has the luminance, so that
    luminance is independent of hue.

    Parameters
    ----------
    hue : Tensor, shape (N,)
        Position on the color circle, in turns: 0 red, 1/3 green, 2/3 blue.
    luma : Tensor, shape (N,)
        Luminance, in [0, 1].
    gray : Tensor, shape (N,), optional
        Fraction of gray of the same luminance to mix in, in [0, 1]; none by default.

    Returns
    -------
    Tensor, shape (N, 3)
        RGB in [0, 1].
    """
    offset = hue.new_tensor([0.0, 2 / 3, 1 / 3])
    rgb = (6 * ((hue[:, None] + offset) % 1 - 0.5).abs() - 1).clamp(0, 1)
    full = (rgb * hue.new_tensor(LUMA)).sum(1)
    darker = rgb * (luma / full)[:, None]
    lighter = rgb + (1 - rgb) * ((luma - full) / (1 - full).clamp_min(1e-6))[:, None]
    vivid = torch.where((luma <= full)[:, None], darker, lighter).clamp(0, 1)
    return vivid if gray is None else torch.lerp(vivid, luma[:, None], gray[:, None])
