"""Image tensors: resizing, and conversion from and to uint8."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor


def resize(images: Tensor, side: int) -> Tensor:
    """Resample square images with antialiasing (bilinear).

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, H)
    side : int
        Side of the result in pixels.

    Returns
    -------
    Tensor, shape (N, 3, side, side)
        `images` itself if `side` is H.
    """
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, [side, side], mode="bilinear", antialias=True)


def to_uint8(images: Tensor) -> Tensor:
    """Round images to 8 bits, channels last.

    Parameters
    ----------
    images : Tensor, shape (..., 3, H, W)
        In [0, 1].

    Returns
    -------
    Tensor of uint8, shape (..., H, W, 3)
        On the same device.
    """
    return (images * 255).round().to(torch.uint8).movedim(-3, -1)


def from_uint8(pixels: npt.NDArray[np.uint8] | Tensor) -> Tensor:
    """Undo `to_uint8`.

    Parameters
    ----------
    pixels : array or Tensor of uint8, shape (..., H, W, 3)

    Returns
    -------
    Tensor, shape (..., 3, H, W)
        In [0, 1].
    """
    tensor = torch.from_numpy(pixels) if isinstance(pixels, np.ndarray) else pixels
    return tensor.movedim(-1, -3).float() / 255
