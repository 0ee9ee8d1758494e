"""Held-out augmentations of a picture: fixed shifts, scales and sizes that no preset uses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz._util.images import resize

SHIFT = 0.3
"""Shift along both axes, relative to the side. Presets shift by 1/14, or by a patch if that is
more."""
SCALES = (0.75, 1.3)
"""Presets scale by up to 10 %."""
SIZES = (0.5, 0.75)
"""Sides to which the picture is reduced and enlarged again, relative to its side. Presets keep the
resolution."""
VIEWS = (
    *(f"shift {down:+g} {across:+g}" for down in (-SHIFT, SHIFT) for across in (-SHIFT, SHIFT)),
    *(f"scale {scale:g}" for scale in SCALES),
    *(f"size {size:g}" for size in SIZES),
)
"""Names of the views, in the order of `held_out`."""


def held_out(images: Tensor) -> Tensor:
    """Apply eight augmentations that are not among those of any preset.

    - Four circular shifts by 0.3 of the side, vertically and horizontally: nothing is cropped,
      but a seam appears.
    - Two scales: reduced to 0.75 of the side with reflection padding, and enlarged by 1.3 and
      cropped at the center.
    - Two sizes: reduced to 0.5 and to 0.75 of the side and enlarged again, which removes high
      frequencies.

    They are deterministic.

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
    shifted = [
        images.roll((down, across), (2, 3)) for down in (-step, step) for across in (-step, step)
    ]
    scaled = [_scaled(images, scale) for scale in SCALES]
    reduced = [_resized(_resized(images, max(1, round(size * side))), side) for size in SIZES]
    return torch.stack([*shifted, *scaled, *reduced])


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
    return resize(images, side).clamp(0, 1)
