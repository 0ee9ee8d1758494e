"""The best image for a linear unit: every color value goes to the end its weight asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def best_in_the_box(
    weight: NDArray[np.float64], bias: float, mean: ArrayLike, std: ArrayLike
) -> float:
    """Largest value of ``sum(weight * (image - mean) / std) + bias`` over images in [0, 1].

    Parameters
    ----------
    weight : array, shape (3, H, W)
    mean, std : number or array of shape (3,)
    """
    mean, std = (np.reshape(each, (-1, 1, 1)) for each in (mean, std))
    black, white = weight * (0 - mean) / std, weight * (1 - mean) / std
    return bias + float(np.maximum(black, white).sum())


def weights_of_pixels(
    kernel: NDArray[np.float64], stride: int, padding: int, side: int, place: int | None
) -> NDArray[np.float64]:
    """Write out what a filter weighs each pixel of its input with, shape (3, side, side).

    Parameters
    ----------
    kernel : array, shape (3, h, w)
    side : int
        Of the input, which is surrounded by `padding` zeros.
    place : int or None
        Where the filter is read, counted row by row; None is the mean over all places.
    """
    height, width = kernel.shape[1:]
    padded = np.zeros((kernel.shape[0], side + 2 * padding, side + 2 * padding))
    rows = range(0, padded.shape[1] - height + 1, stride)
    columns = range(0, padded.shape[2] - width + 1, stride)
    corners = [(top, left) for top in rows for left in columns]
    for top, left in corners if place is None else [corners[place]]:
        padded[:, top : top + height, left : left + width] += kernel
    if place is None:
        padded /= len(corners)
    return padded[:, padding : padding + side, padding : padding + side]
