"""A view of a canvas, pixel by pixel: where it looks, and what it sees between four pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def view(
    canvas: Array, size: int, shift: tuple[float, float], zoom: float, degrees: float
) -> Array:
    """Look at a canvas (C, H, W) through a window of `size` x `size` pixels.

    The window's middle lies `shift` (down, right) from the canvas' middle, each of its pixels is
    `zoom` canvas pixels wide, and its axes are turned from right to down by `degrees`.
    """
    channels, height, width = canvas.shape
    result = np.zeros((channels, size, size))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for row in range(size):
        for column in range(size):
            down, right = zoom * (row - (size - 1) / 2), zoom * (column - (size - 1) / 2)
            y = (height - 1) / 2 + shift[0] + cos * down + sin * right
            x = (width - 1) / 2 + shift[1] + cos * right - sin * down
            result[:, row, column] = _between(canvas, y, x)
    return result


def _between(canvas: Array, y: float, x: float) -> Array:
    """Interpolate linearly along both axes; the canvas continues as its own mirror image."""
    _, height, width = canvas.shape
    top, left = math.floor(y), math.floor(x)
    total = np.zeros(len(canvas))
    for row, near_row in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, near_column in ((left, 1 - (x - left)), (left + 1, x - left)):
            pixel = canvas[:, _mirrored(row, height), _mirrored(column, width)]
            total += near_row * near_column * pixel
    return total


def _mirrored(index: int, length: int) -> int:
    """Reflect an index at the canvas' edges, so that the outermost pixels appear twice."""
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index
