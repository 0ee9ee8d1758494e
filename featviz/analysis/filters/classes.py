"""Three numbers of a filter, and the class that they put it in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.noise import denoised

# A layer's strong filter: this quantile of the norms, so that neither the few strongest nor the
# many dead ones decide.
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
"""Of `classify`, as a store's configuration records them."""


@dataclass(frozen=True)
class Statistics:
    """Scale-free numbers of each filter, of what stands out of the layer's noise.

    Attributes
    ----------
    energy : array, shape (N,)
        Norm, in parts of the norm of the layer's strong filter; 0 or more, mostly below 1.
    spatial : array, shape (N,)
        Share of the squared norm that is not the mean of each color: 0 is flat, 1 has no mean.
    color : array, shape (N,)
        Share of the squared norm that is not the same in red, green and blue: 0 is gray, 1 has
        no gray part.
    noise : array, shape (N,)
        Share of the squared norm of the whole filter that does not stand out of the noise.
    """

    energy: NDArray[np.float64]
    spatial: NDArray[np.float64]
    color: NDArray[np.float64]
    noise: NDArray[np.float64]


def statistics(filters: NDArray[np.float64]) -> Statistics:
    """Measure all filters of a layer, shape (N, 3, h, w), on RGB.

    The norms that the strong filter is found by are those of the whole filters, noise included: in
    a layer of random weights every energy is near 0. Shares of nothing are 0.
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
    """Put each filter into one of `featviz.analysis.filters.classes.CLASSES`; the first that fits counts.

    ================= =========================================================================
    very dark         energy below 0.1: almost nothing
    solid colour      spatial below 0.0025 and noise below 0.1: it varies by less than a twentieth
                      of its mean, and no noise hides that
    near-solid colour spatial below 0.3 if color is 0.1 or more, else below 0.15: a patch of
                      color that fades stays one, a gray patch that fades is a blob
    regular dark      energy below 0.5: edges, gratings, blobs, but faint
    regular           the rest
    ================= =========================================================================

    Returns
    -------
    list of str
        As many as there are filters.
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


CLASSES = ("regular", "regular dark", "near-solid colour", "solid colour", "very dark")
"""In the order in which they are listed; `featviz.analysis.filters.classes` says what they are."""
