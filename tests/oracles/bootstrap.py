"""The symmetric studentized bootstrap, one resample and one site at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def half_widths(
    values: Floats, over: Floats, level: float, resamples: int, seed: int, least: float
) -> tuple[Floats, float]:
    """Return how far intervals reach from ratios of means, in standard errors.

    Returns
    -------
    tuple of an array, shape (S,), and float
        For every site alone, and for all together.
    """
    generator = np.random.default_rng(seed)
    count, sites = values.shape
    distances = np.empty((resamples, sites))
    for row in range(resamples):
        chosen = generator.integers(count, size=count)
        for site in range(sites):
            ratio, error = ratio_of_means(values[:, site], over)
            again, its_own = ratio_of_means(values[chosen, site], over[chosen])
            distances[row, site] = abs(again - ratio) / max(its_own, least * error)
    own = np.quantile(distances, level, axis=0)
    return own, float(np.quantile(distances.max(1), level))


def ratio_of_means(above: Floats, below: Floats) -> tuple[float, float]:
    """Return a ratio of means and its standard error by the delta method."""
    ratio = above.mean() / below.mean()
    spread = np.std((above - ratio * below) / below.mean(), ddof=1)
    return float(ratio), float(spread) / math.sqrt(len(above))
