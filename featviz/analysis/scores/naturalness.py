"""How far the power spectrum of a picture is from that of natural images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from featviz.errors import FeatvizError
from featviz.parametrization.spectrum import Spectrum, measure, power_law

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

    The power of the brightest of the three decorrelated colours is pooled over directions and
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
