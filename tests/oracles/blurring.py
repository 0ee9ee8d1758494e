"""Gaussian blur, one pixel and one tap at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def gaussian_blur(plane: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Blur one plane with a Gaussian cut off at three sigmas, reflected at the border pixel."""
    reach = math.floor(3 * sigma)
    taps = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(-reach, reach + 1)]
    total = sum(taps) ** 2
    height, width = plane.shape
    result = np.zeros_like(plane)
    for row in range(height):
        for column in range(width):
            for i, down in enumerate(range(-reach, reach + 1)):
                for j, across in enumerate(range(-reach, reach + 1)):
                    value = plane[_mirror(row + down, height), _mirror(column + across, width)]
                    result[row, column] += taps[i] * taps[j] / total * value
    return result


def _mirror(index: int, length: int) -> int:
    """Reflect an index about the first and the last pixel, which are not repeated."""
    index = abs(index)
    return 2 * (length - 1) - index if index >= length else index
