"""Geometric augmentation of an image, one pixel at a time, with bilinear interpolation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def augment(
    image: Array, size: int, shift: tuple[float, float], zoom: float, degrees: float
) -> Array:
    """Sample a window of `size` x `size` pixels from an image (C, H, W).

    The center of the window is shifted by `shift` (down, right) from that of the image, each of its
    pixels is `zoom` image pixels wide, and its axes are rotated clockwise by `degrees`.
    """
    channels, height, width = image.shape
    result = np.zeros((channels, size, size))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for row in range(size):
        for column in range(size):
            down, right = zoom * (row - (size - 1) / 2), zoom * (column - (size - 1) / 2)
            y = (height - 1) / 2 + shift[0] + cos * down + sin * right
            x = (width - 1) / 2 + shift[1] + cos * right - sin * down
            result[:, row, column] = _interpolate(image, y, x)
    return result


def _interpolate(image: Array, y: float, x: float) -> Array:
    """Interpolate bilinearly; outside, the image is continued by reflection."""
    _, height, width = image.shape
    top, left = math.floor(y), math.floor(x)
    total = np.zeros(len(image))
    for row, row_weight in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, column_weight in ((left, 1 - (x - left)), (left + 1, x - left)):
            pixel = image[:, _reflect(row, height), _reflect(column, width)]
            total += row_weight * column_weight * pixel
    return total


def _reflect(index: int, length: int) -> int:
    """Reflect an index at the edges of the image, so that the outermost pixels are repeated."""
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index
