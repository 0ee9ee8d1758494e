"""Closed form of the best image for a unit that is linear in the pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def best_in_the_box(
    weight: NDArray[np.float64], bias: float, mean: ArrayLike, std: ArrayLike
) -> float:
    """Return the maximum of ``sum(weight * (image - mean) / std) + bias`` over images in [0, 1].

    It is attained where each pixel is 0 or 1, by the sign of its weight.

    Parameters
    ----------
    weight : array, shape (3, H, W)
    mean, std : number or array of shape (3,)
    """
    mean, std = (np.reshape(each, (-1, 1, 1)) for each in (mean, std))
    black, white = weight * (0 - mean) / std, weight * (1 - mean) / std
    return bias + float(np.maximum(black, white).sum())


def pixel_weights(
    kernel: NDArray[np.float64], stride: int, padding: int, side: int, position: int | None
) -> NDArray[np.float64]:
    """Return the weight of each pixel of the input of a filter, shape (3, side, side).

    Parameters
    ----------
    kernel : array, shape (3, h, w)
    side : int
        Side of the input, without its zero padding.
    position : int or None
        Position of the output, in row-major order; None is the mean over all positions.
    """
    height, width = kernel.shape[1:]
    padded = np.zeros((kernel.shape[0], side + 2 * padding, side + 2 * padding))
    rows = range(0, padded.shape[1] - height + 1, stride)
    columns = range(0, padded.shape[2] - width + 1, stride)
    corners = [(top, left) for top in rows for left in columns]
    for top, left in corners if position is None else [corners[position]]:
        padded[:, top : top + height, left : left + width] += kernel
    if position is None:
        padded /= len(corners)
    return padded[:, padding : padding + side, padding : padding + side]
