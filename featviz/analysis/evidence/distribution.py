"""Distribution of a metric over units: quantiles, histogram, and the best and worst units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

QUANTILES = (0, 5, 25, 50, 75, 95, 100)
"""In percent."""

BINS = 20
SHOWN = 5
"""Number of units listed as the best and as the worst."""


@dataclass(frozen=True)
class Distribution:
    """Distribution of a metric over the units that have it.

    Attributes
    ----------
    count : int
        Number of units that have the metric.
    higher_is_better : bool
    quantiles : dict of str to float
        At 0, 5, 25, 50, 75, 95 and 100 percent; linear between two units.
    edges : float64 array, shape (B + 1,)
        Edges of bins of equal width, from the smallest to the largest value. If all values are
        equal, from 0.5 below to 0.5 above.
    histogram : int64 array, shape (B,)
        Number of units in each bin.
    best, worst : tuple of (str, float)
        Addresses and values of the best and of the worst units, the most extreme first.
    """

    count: int
    higher_is_better: bool
    quantiles: dict[str, float]
    edges: Floats
    histogram: npt.NDArray[np.int64]
    best: tuple[tuple[str, float], ...]
    worst: tuple[tuple[str, float], ...]


def distribution(
    addresses: Sequence[str], values: npt.ArrayLike, higher_is_better: bool
) -> Distribution | None:
    """Describe the values of a metric.

    Parameters
    ----------
    addresses : sequence of str
        N addresses of units.
    values : array_like, shape (N,)
        NaN for units that do not have the metric; these are left out.
    higher_is_better : bool

    Returns
    -------
    Distribution or None
        None if no unit has the metric. Ties are in the order of `addresses`.
    """
    every = np.asarray(values, np.float64)
    (known,) = np.nonzero(~np.isnan(every))
    if not known.size:
        return None
    some = every[known]
    quantiles = np.percentile(some, QUANTILES)
    edges = np.linspace(some.min(), some.max(), BINS + 1)
    if not (np.diff(edges) > 0).all():  # all values are equal, or nearly
        edges = np.linspace(some.min() - 0.5, some.max() + 0.5, BINS + 1)
    histogram, _ = np.histogram(some, edges)
    ranks = -some if higher_is_better else some
    named = [(addresses[index], float(every[index])) for index in known.tolist()]
    best, worst = (
        tuple(named[index] for index in np.argsort(key, kind="stable")[:SHOWN])
        for key in (ranks, -ranks)
    )
    by_percent = {
        str(percent): float(value) for percent, value in zip(QUANTILES, quantiles, strict=True)
    }
    return Distribution(
        len(some), higher_is_better, by_percent, edges, histogram.astype(np.int64), best, worst
    )
