"""Energy of every wave in a picture, and the magnitudes of planes: by sums over the pixels."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fine_share(picture: NDArray[np.uint8]) -> float:
    """Share of the energy of the waves shorter than four pixels."""
    energies = _energies(picture)
    fine = sum(
        energy for (down, across), energy in energies.items() if down**2 + across**2 > 1 / 16
    )
    return fine / sum(energies.values())


def grid_share(picture: NDArray[np.uint8], period: int) -> float:
    """Share of the energy that is left when every cell of a grid becomes the mean of all cells.

    The sides are multiples of `period`.
    """
    light = _light(picture)
    height, width = light.shape
    cells = light.reshape(height // period, period, width // period, period)
    mean = cells.mean((0, 2))
    return float(np.var(mean) / np.var(light))


def _light(picture: NDArray[np.uint8]) -> Array:
    red, green, blue = (picture[..., channel] / 255 for channel in range(3))
    light: Array = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return light


def _energies(picture: NDArray[np.uint8]) -> dict[tuple[float, float], float]:
    """Energy of each wave but the constant, by its cycles a pixel down and across."""
    light = _light(picture)
    height, width = light.shape
    energies = {}
    for ky in range(height):
        for kx in range(width):
            down = (ky if 2 * ky <= height else ky - height) / height
            across = (kx if 2 * kx <= width else kx - width) / width
            if ky or kx:
                energies[down, across] = abs(coefficient(light, ky, kx)) ** 2
    return energies


def coefficient(plane: Array, ky: int, kx: int) -> complex:
    """Fourier coefficient of a plane (height, width), pixel by pixel."""
    height, width = plane.shape
    total = 0j
    for y in range(height):
        for x in range(width):
            turns = ky * y / height + kx * x / width
            total += plane[y, x] * cmath.exp(-2j * math.pi * turns)
    return total
