"""Spectral energy of pictures by discrete Fourier sums over the pixels."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fine_share(picture: NDArray[np.uint8]) -> float:
    """Share of the energy at wavelengths below four pixels."""
    energies = _energies(picture)
    fine = sum(
        energy for (down, across), energy in energies.items() if down**2 + across**2 > 1 / 16
    )
    return fine / sum(energies.values())


def grid_share(picture: NDArray[np.uint8], period: int) -> float:
    """Share of the variance that is left when every cell of a grid is replaced by their mean.

    The sides of the picture are multiples of `period`.
    """
    luminance = _luminance(picture)
    height, width = luminance.shape
    cells = luminance.reshape(height // period, period, width // period, period)
    mean = cells.mean((0, 2))
    return float(np.var(mean) / np.var(luminance))


def _luminance(picture: NDArray[np.uint8]) -> Array:
    red, green, blue = (picture[..., channel] / 255 for channel in range(3))
    luminance: Array = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return luminance


def _energies(picture: NDArray[np.uint8]) -> dict[tuple[float, float], float]:
    """Energy at each frequency but zero, by its cycles per pixel down and across."""
    luminance = _luminance(picture)
    height, width = luminance.shape
    energies = {}
    for ky in range(height):
        for kx in range(width):
            down = (ky if 2 * ky <= height else ky - height) / height
            across = (kx if 2 * kx <= width else kx - width) / width
            if ky or kx:
                energies[down, across] = abs(coefficient(luminance, ky, kx)) ** 2
    return energies


def coefficient(plane: Array, ky: int, kx: int) -> complex:
    """Fourier coefficient of a plane (height, width)."""
    height, width = plane.shape
    total = 0j
    for y in range(height):
        for x in range(width):
            turns = ky * y / height + kx * x / width
            total += plane[y, x] * cmath.exp(-2j * math.pi * turns)
    return total
