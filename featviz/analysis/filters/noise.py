"""Removal of the noise that random initialization leaves in trained filters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Orthonormal opponent colors: gray, red-green, yellow-blue. Structure is mostly in one of them.
OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.sqrt([[3], [2], [6]])

# Median of the square of a standard normal variable.
MEDIAN = 0.4549


def denoised(filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Remove white noise from the filters of a layer by hard thresholding.

    A trained filter is structure plus a remainder of its random initialization, which is white: it
    has the same power at every frequency and color. Structure occupies few frequencies, the same
    ones in most filters. The noise power is estimated from the frequencies at which the typical
    filter has least power. A cosine coefficient is kept if its power exceeds the expected maximum
    of the noise in one filter, ``2 ln(n)`` times the noise power for n weights; otherwise it is set
    to 0.

    Parameters
    ----------
    filters : array, shape (N, 3, h, w)
        All filters of a layer, on RGB.

    Returns
    -------
    array, shape (N, 3, h, w)
        Equal to the filters, except for rounding, if there is no noise.

    Source: the threshold is the universal one of Donoho and Johnstone, "Ideal spatial adaptation
    by wavelet shrinkage", Biometrika 81, 1994.
    """
    # The gallery imports this module for the names of the classes, and SciPy takes long to import.
    from scipy.fft import dctn, idctn  # noqa: PLC0415

    spectrum = dctn(np.einsum("kc,nchw->nkhw", OPPONENT, filters), axes=(2, 3), norm="ortho")
    power = spectrum**2
    noise = float(np.quantile(np.median(power, axis=0), 0.25)) / MEDIAN
    spectrum[power <= 2 * math.log(power[0].size) * noise] = 0
    kept: NDArray[np.float64] = np.einsum(
        "kc,nkhw->nchw", OPPONENT, idctn(spectrum, axes=(2, 3), norm="ortho")
    )
    return kept
