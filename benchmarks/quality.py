"""How rough a picture is, and how much of a grid it shows: two shares of its energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

LUMA = (0.2126, 0.7152, 0.0722)


def fine_share(picture: NDArray[np.uint8]) -> float:
    """Share of the energy of (H, W, 3) at more than 0.25 cycles a pixel, the mean left out."""
    energy, down, across = _energy(picture)
    return float(energy[np.hypot(down, across) > 0.25].sum() / energy.sum())


def grid_share(picture: NDArray[np.uint8], period: int = 16) -> float:
    """Share of the energy of (H, W, 3) that repeats from cell to cell of a grid.

    A picture that is the same in every cell of `period` pixels has energy at the multiples of
    ``1 / period`` in both directions and nowhere else.
    """
    energy, down, across = _energy(picture)
    on_grid = _whole(down * period) & _whole(across * period)
    return float(energy[on_grid].sum() / energy.sum())


def _energy(picture: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
    """Energy of each frequency, and its cycles a pixel down and across."""
    light = (picture / 255) @ np.array(LUMA)
    energy = np.abs(np.fft.fft2(light - light.mean())) ** 2
    energy[0, 0] = 0
    height, width = light.shape
    return energy, np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]


def _whole(numbers: Array) -> NDArray[np.bool_]:
    return np.abs(numbers - np.round(numbers)) < 1e-9
