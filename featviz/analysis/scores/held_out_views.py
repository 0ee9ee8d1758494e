"""Views of a picture that no optimization used: other shifts, scales and sizes, always the same."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT = 0.3
"""Of the side, along both axes. Presets shift by 16 pixels, or a patch if that is more."""
SCALES = (0.75, 1.3)
"""Presets scale by up to 10 %."""
SIZES = (0.5, 0.75)
"""Sides to which the picture is shrunk and brought back from; presets keep its resolution."""
VIEWS = (
    *(f"shift {down:+g} {across:+g}" for down in (-SHIFT, SHIFT) for across in (-SHIFT, SHIFT)),
    *(f"scale {scale:g}" for scale in SCALES),
    *(f"size {size:g}" for size in SIZES),
)
"""What the views are called, in the order of `held_out`."""


def held_out(images: Tensor) -> Tensor:
    """Look at each picture in eight ways that are not among the views of any preset.

    - Four shifts by 3/10 of the side, down or up and left or right. What leaves the picture on one
      side comes in on the other, so that nothing is lost; a seam appears.
    - Two scales: shrunk to 3/4 of its side, with its mirror images around it, and enlarged by
      1.3 and cut.
    - Two sizes: shrunk to 1/2 and to 3/4 of its side, and brought back to it. What was finer is
      gone.

    No random number is drawn.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, H)
        RGB in [0, 1].

    Returns
    -------
    Tensor, shape (8, N, 3, H, H)
        In [0, 1], in the order of `VIEWS`.
    """
    side = images.shape[-1]
    step = round(SHIFT * side)
    rolled = [
        images.roll((down, across), (2, 3)) for down in (-step, step) for across in (-step, step)
    ]
    scaled = [_scaled(images, scale) for scale in SCALES]
    coarse = [_resized(_resized(images, max(1, round(size * side))), side) for size in SIZES]
    return torch.stack([*rolled, *scaled, *coarse])


def _scaled(images: Tensor, scale: float) -> Tensor:
    side = images.shape[-1]
    resized = _resized(images, max(1, round(scale * side)))
    missing = side - resized.shape[-1]
    if missing <= 0:
        start = -missing // 2
        return resized[..., start : start + side, start : start + side]
    before, after = missing // 2, missing - missing // 2
    return F.pad(resized, (before, after, before, after), mode="reflect")


def _resized(images: Tensor, side: int) -> Tensor:
    resized: Tensor = F.interpolate(images, [side, side], mode="bilinear", antialias=True)
    return resized.clamp(0, 1)
