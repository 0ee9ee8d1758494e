"""The symmetric studentized bootstrap, one resample and one column at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def half_widths(
    values: Floats, over: Floats, level: float, resamples: int, seed: int, least: float
) -> tuple[Floats, float]:
    """Return half widths of intervals of ratios of means, in standard errors.

    Returns
    -------
    tuple of an array, shape (S,), and float
        Of pointwise intervals, and of simultaneous ones.
    """
    generator = np.random.default_rng(seed)
    count, columns = values.shape
    distances = np.empty((resamples, columns))
    for row in range(resamples):
        chosen = generator.integers(count, size=count)
        for column in range(columns):
            ratio, error = ratio_of_means(values[:, column], over)
            resampled, resampled_error = ratio_of_means(values[chosen, column], over[chosen])
            distances[row, column] = abs(resampled - ratio) / max(resampled_error, least * error)
    pointwise = np.quantile(distances, level, axis=0)
    return pointwise, float(np.quantile(distances.max(1), level))


def ratio_of_means(above: Floats, below: Floats) -> tuple[float, float]:
    """Return a ratio of means and its standard error by the delta method."""
    ratio = above.mean() / below.mean()
    spread = np.std((above - ratio * below) / below.mean(), ddof=1)
    return float(ratio), float(spread) / math.sqrt(len(above))
