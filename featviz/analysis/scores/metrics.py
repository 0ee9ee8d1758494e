"""Metrics of one picture: convergence, energy at high frequencies, patch grid, spectrum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from numpy.typing import NDArray

from featviz.errors import FeatvizError
from featviz.parametrization.spectrum import Spectrum, measure, power_law


def late_gain(trajectory: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Measure what the last doubling of the steps brought.

    The mean over the second half of the steps, less that over the second quarter, in parts of what
    the former gained over the first step. The steps of an optimization shrink to nothing, so that
    its very end is flat however early it ends: only longer stretches tell. They are long
    for another reason, too: each step sees another view.

    Parameters
    ----------
    trajectory : array, shape (..., T)
        The value at each step.

    Returns
    -------
    array, shape (...)
        Near 0 where more steps would bring no more; about 0.5 on a straight line; below 0 where
        the value fell. 0 where the two means are equal. NaN where the value changed without any
        gain, and for fewer than 4 steps.
    """
    values = np.asarray(trajectory, np.float64)
    steps = values.shape[-1]
    if steps < 4:
        return np.full(values.shape[:-1], np.nan)
    late = values[..., steps // 2 :].mean(-1)
    more = late - values[..., steps // 4 : steps // 2].mean(-1)
    gain = late - values[..., 0]
    share = np.divide(more, gain, out=np.full_like(more, np.nan), where=gain > 0)
    return np.where(more == 0, 0.0, share)


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


DECAY = 1.0
"""Magnitudes of natural images fall about as one over the frequency, powers as its square.

Source: Field, "Relations between the statistics of natural images and the response properties of
cortical cells", 1987.
"""


def usual(side: int) -> Spectrum:
    """Make the spectrum that natural images have in the mean: power falling as ``1 / f**2``."""
    return power_law(DECAY, side, side)


def spectrum_distance(picture: npt.NDArray[np.uint8], natural: Spectrum) -> float:
    """Measure how differently the light of a picture spreads over fine and coarse waves.

    The power of the brightest of the three decorrelated colors is pooled over directions and
    over bands of frequencies (see `featviz.parametrization.spectrum.measure`, which fades the edges out, too). The
    distance is the root of the mean square, over the bands, of the difference of the logarithms
    to base 10, after the mean difference is taken off: contrast does not count, only the slope and
    the shape do.

    Parameters
    ----------
    picture : uint8 array, shape (H, H, 3)
    natural : Spectrum
        Of images of the same side, or a power.

    Returns
    -------
    float
        From 0 up, in powers of ten: 1 if bands are off by a factor of ten. NaN of a flat picture.
    """
    light = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    try:
        found = measure("the picture", [light])
    except FeatvizError:
        return float("nan")
    known, wanted = np.log10(natural.frequencies), np.log10(found.frequencies)
    expected = np.interp(wanted, known, np.log10(natural.levels[0]))
    # Of magnitudes; powers are their squares.
    difference = 2 * (np.log10(found.levels[0]) - expected)
    return float(difference.std())
