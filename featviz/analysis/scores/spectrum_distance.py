"""Distance of a picture's power spectrum from that of natural images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featviz._util.images import from_uint8
from featviz.errors import FeatvizError
from featviz.parametrization.spectrum import Spectrum, mean_spectrum, power_law

NATURAL_DECAY = 1.0
"""Exponent with which the magnitudes of natural images fall; their power falls with its double.

Source: Field, "Relations between the statistics of natural images and the response properties of
cortical cells", 1987.
"""


def natural_power_law(side: int) -> Spectrum:
    """Return the usual spectrum of natural images, a power that falls as ``1 / f**2``.

    Parameters
    ----------
    side : int
        Side of the images in pixels.

    Returns
    -------
    Spectrum
    """
    return power_law(NATURAL_DECAY, side, side)


def spectrum_distance(picture: npt.NDArray[np.uint8], natural: Spectrum) -> float:
    """Compute the distance of a picture's power spectrum from that of natural images.

    The power of the first decorrelated color (brightness) is averaged over directions and
    frequency bands; see `featviz.parametrization.spectrum.mean_spectrum`. The distance is the
    standard deviation, over the bands, of the difference of the base-10 logarithms. So it measures
    slope and shape of the spectrum, but not contrast.

    Parameters
    ----------
    picture : uint8 array, shape (H, H, 3)
    natural : Spectrum
        Of images of the same side, or a power law.

    Returns
    -------
    float
        At least 0, in powers of ten: 1 if the bands differ by a factor of ten. NaN for a uniform
        picture.
    """
    try:
        found = mean_spectrum("the picture", [from_uint8(picture)[None]])
    except FeatvizError:
        return float("nan")
    known, wanted = np.log10(natural.frequencies), np.log10(found.frequencies)
    expected = np.interp(wanted, known, np.log10(natural.levels[0]))
    # The levels are magnitudes; powers are their squares.
    difference = 2 * (np.log10(found.levels[0]) - expected)
    return float(difference.std())
