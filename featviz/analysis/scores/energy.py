"""How rough a picture is, and how much of a grid it shows: two shares of its energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue in the light of a pixel. Source: ITU-R BT.709."""
FINE = 0.25
"""Cycles a pixel above which a wave is fine: it is shorter than four pixels."""


def fine_share(picture: NDArray[np.uint8]) -> float:
    """Share of a picture's energy at more than 0.25 cycles a pixel, the mean left out.

    Parameters
    ----------
    picture : uint8 array, shape (H, W, 3)

    Returns
    -------
    float
        In [0, 1]; NaN if all pixels are equally bright.
    """
    energy, down, across = _energy(picture)
    return _share(energy, np.hypot(down, across) > FINE)


def grid_share(picture: NDArray[np.uint8], period: int = 16) -> float:
    """Share of a picture's energy that repeats from cell to cell of a grid.

    A picture that is the same in every cell of `period` pixels has energy at the multiples of
    ``1 / period`` in both directions and nowhere else. Rows and columns behind the last whole cell
    are left out.

    Parameters
    ----------
    picture : uint8 array, shape (H, W, 3)
    period : int
        Side of a cell in pixels, at least 1.

    Returns
    -------
    float
        In [0, 1]; NaN if all pixels are equally bright or no whole cell fits.
    """
    height, width = (side - side % period for side in picture.shape[:2])
    if not height or not width:
        return float("nan")
    energy, down, across = _energy(picture[:height, :width])
    return _share(energy, _whole(down * period) & _whole(across * period))


def _energy(picture: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
    """Energy of each frequency, and its cycles a pixel down and across."""
    light = (picture / 255) @ np.array(LUMA)
    energy = np.abs(np.fft.fft2(light - light.mean())) ** 2
    energy[0, 0] = 0
    height, width = light.shape
    return energy, np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]


def _share(energy: Array, where: NDArray[np.bool_]) -> float:
    total = energy.sum()
    # A single pixel that is off by a step of 255 has more than this; rounding has less.
    return float(energy[where].sum() / total) if total > 1e-12 * energy.size else float("nan")


def _whole(numbers: Array) -> NDArray[np.bool_]:
    return np.abs(numbers - np.round(numbers)) < 1e-9
