"""Statistics of filters, and the classes that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.noise import denoised

CLASSES = ("regular", "regular dark", "near-solid colour", "solid colour", "very dark")
"""Classes in display order, see `classify`; stores record these names."""

# Quantile of the norms that defines a layer's strong filter: robust to a few outliers and to many
# dead filters.
STRONG = 0.9

VERY_DARK = 0.1
DARK = 0.5
SOLID = 0.0025
NEAR_SOLID = 0.15
NEAR_SOLID_TINTED = 0.3
TINTED = 0.1
NOISY = 0.1

THRESHOLDS = {
    "very_dark": VERY_DARK,
    "dark": DARK,
    "solid": SOLID,
    "noisy": NOISY,
    "near_solid": NEAR_SOLID,
    "near_solid_tinted": NEAR_SOLID_TINTED,
    "tinted": TINTED,
}
"""Thresholds of `classify`, as recorded in the configuration of a store."""


@dataclass(frozen=True)
class Statistics:
    """Scale-free statistics of filters, after removal of the layer's noise.

    Attributes
    ----------
    energy : array, shape (N,)
        Norm, relative to the norm of the layer's strong filter; nonnegative, mostly below 1.
    spatial : array, shape (N,)
        Fraction of the squared norm outside the mean of each color, in [0, 1]: 0 for a flat
        filter, 1 for a filter without mean.
    color : array, shape (N,)
        Fraction of the squared norm that is not equal in red, green and blue, in [0, 1]: 0 for a
        gray filter, 1 for a filter without gray part.
    noise : array, shape (N,)
        Fraction of the squared norm of the unprocessed filter that is noise.
    """

    energy: NDArray[np.float64]
    spatial: NDArray[np.float64]
    color: NDArray[np.float64]
    noise: NDArray[np.float64]


def statistics(filters: NDArray[np.float64]) -> Statistics:
    """Compute the statistics of all filters of a layer.

    The strong filter is defined by the norms of the unprocessed filters, noise included: every
    energy in a layer of random weights is near 0. A fraction of zero is 0.

    Parameters
    ----------
    filters : array, shape (N, 3, h, w)
        On RGB.

    Returns
    -------
    Statistics
    """
    axes = (1, 2, 3)
    clean = denoised(filters)
    power, whole = (clean**2).sum(axes), (filters**2).sum(axes)
    strong = np.quantile(np.sqrt(whole), STRONG)
    flat = clean.mean((2, 3), keepdims=True)
    gray = clean.mean(1, keepdims=True)
    return Statistics(
        _share(np.sqrt(power), np.full_like(power, strong)),
        _share(((clean - flat) ** 2).sum(axes), power),
        _share(((clean - gray) ** 2).sum(axes), power),
        _share(((filters - clean) ** 2).sum(axes), whole),
    )


def classify(statistics: Statistics) -> list[str]:
    """Classify filters; the first class in this table whose condition holds.

    ================= =========================================================================
    very dark         energy below 0.1: almost nothing
    solid colour      spatial below 0.0025 and noise below 0.1: varies by less than a twentieth of
                      its mean, and no noise hides it
    near-solid colour spatial below 0.3 if color is at least 0.1, else below 0.15: a colored patch
                      that fades is still one color, a gray patch that fades is a blob
    regular dark      energy below 0.5: edges, gratings, blobs, but faint
    regular           all others
    ================= =========================================================================

    Parameters
    ----------
    statistics : Statistics
        Of N filters.

    Returns
    -------
    list of str
        N names of `CLASSES`.
    """
    limit = np.where(statistics.color >= TINTED, NEAR_SOLID_TINTED, NEAR_SOLID)
    conditions = {
        "very dark": statistics.energy < VERY_DARK,
        "solid colour": (statistics.spatial < SOLID) & (statistics.noise < NOISY),
        "near-solid colour": statistics.spatial < limit,
        "regular dark": statistics.energy < DARK,
    }
    names: list[str] = np.select(list(conditions.values()), list(conditions), "regular").tolist()
    return names


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
