"""What of a layer's filters stands out of the noise that their random start left in them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

# Gray, red against green, and yellow against blue, orthonormal: structure is mostly in one of them.
OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.sqrt([[3], [2], [6]])

# Median of the square of a standard normal number.
MEDIAN = 0.4549


def denoised(filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep what stands out of the layer's white noise.

    A trained filter is structure plus what is left of its random start, which is white: it has
    the same power at every frequency and color. Structure fills few frequencies, the same ones
    in most filters. So the power that the typical filter has at its emptiest frequencies is the
    noise's, and a cosine coefficient stays as it is if its power is more than noise would reach in
    one filter, ``2 ln(n)`` times the noise's for n weights; else it becomes 0.

    Parameters
    ----------
    filters : array, shape (N, 3, h, w)
        All filters of a layer, on RGB.

    Returns
    -------
    array, shape (N, 3, h, w)
        Equal to the filters, but for rounding, where there is no noise.

    Source: the threshold is the universal one of Donoho and Johnstone, "Ideal spatial adaptation
    by wavelet shrinkage", Biometrika 81, 1994.
    """
    spectrum = dctn(np.einsum("kc,nchw->nkhw", OPPONENT, filters), axes=(2, 3), norm="ortho")
    power = spectrum**2
    noise = float(np.quantile(np.median(power, axis=0), 0.25)) / MEDIAN
    spectrum[power <= 2 * math.log(power[0].size) * noise] = 0
    kept: NDArray[np.float64] = np.einsum(
        "kc,nkhw->nchw", OPPONENT, idctn(spectrum, axes=(2, 3), norm="ortho")
    )
    return kept
