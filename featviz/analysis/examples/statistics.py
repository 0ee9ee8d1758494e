"""Statistics of the values of units, and the images at their extremes and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
"""Quantiles of the images of ``spread``; denser towards the top, where a unit is most selective."""
BINS = 64
_SHARES = np.arange(1, BINS) / BINS

Array = npt.NDArray[Any]


def statistics(
    values: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    classes: int,
    top: int,
    quantiles: Sequence[float] = QUANTILES,
) -> dict[str, Array]:
    """Compute statistics of the values of units on all images.

    Computed in float64. Images with equal values are ordered by index.

    Parameters
    ----------
    values : float32 array, shape (U, N)
        Finite; N is at least 1.
    labels : int32 array, shape (N,)
        Class of each image; others than 0 to C - 1, such as -1, belong to no class.
    classes : int
        Number C of classes.
    top : int
        Number K of highest and of lowest images.
    quantiles : sequence of float
        S numbers in [0, 1].

    Returns
    -------
    dict of arrays
        With a row for each unit. ``top``, ``bottom`` (U, K) and ``spread`` (U, S), int32: indices
        of images, from the highest value down, from the lowest up, and at rank
        ``round(q * (N - 1))`` from the lowest up. If N is below K, the last ones are -1.
        ``top_values``, ``bottom_values``, ``spread_values``, float32: values of these images; NaN
        where the index is -1.
        ``percentiles`` (U, 101), float32: percentiles 0 to 100, with linear interpolation.
        ``histogram`` (U, 64), int32: counts of values v with ``e[i] <= v < e[i + 1]`` for equally
        spaced edges from the minimum to the maximum; the maximum counts to the last bin. All
        values are in the first bin if they are equal.
        ``mean``, ``deviation``, ``active``, ``sparsity`` (U,), float32: mean and population
        standard deviation, fraction of values above 0, and `sparsity`.
        ``classes`` (U, C), float32: mean over the images of each class; NaN where there is none.
    """
    count = values.shape[1]
    ascending = _order(values)
    ranks = [round(quantile * (count - 1)) for quantile in quantiles]
    found: dict[str, Array] = {}
    chosen = {
        "top": _order(-values)[:, :top],
        "bottom": ascending[:, :top],
        "spread": ascending[:, ranks],
    }
    for name, indices in chosen.items():
        missing = 0 if name == "spread" else max(0, top - count)
        padding = ((0, 0), (0, missing))
        own = np.take_along_axis(values, indices, 1)
        found[name] = np.pad(indices.astype(np.int32), padding, constant_values=-1)
        found[f"{name}_values"] = np.pad(own, padding, constant_values=np.nan)
    wide = values.astype(np.float64)
    rising = np.take_along_axis(wide, ascending, 1)
    found["classes"] = _class_means(wide, labels, classes)
    found["percentiles"] = interpolate(rising, np.arange(101) / 100, np.full(len(rising), count))
    found["histogram"] = np.stack([_histogram(row) for row in rising])
    found["mean"], found["deviation"] = wide.mean(1), wide.std(1)
    found["active"] = (wide > 0).mean(1)
    found["sparsity"] = sparsity(wide)
    return {
        name: each.astype(np.float32) if each.dtype == np.float64 else each
        for name, each in found.items()
    }


def sparsity(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the sparsity of the values of units over images.

    With r the values clipped at 0, ``(1 - mean(r)^2 / mean(r^2)) / (1 - 1 / N)``: 0 if all are
    equal, 1 if a single one is above 0.

    Parameters
    ----------
    values : float64 array, shape (U, N)

    Returns
    -------
    float64 array, shape (U,)
        In [0, 1]; NaN for a single image, or if no value is above 0.

    Source: Treves and Rolls, "What determines the capacity of autoassociative memories in the
    brain?", Network 1991, as rescaled by Vinje and Gallant, "Sparse Coding and Decorrelation in
    Primary Visual Cortex During Natural Vision", Science 2000.
    """
    count = values.shape[1]
    rectified = np.maximum(values, 0)
    largest = rectified.max(1)
    is_known = (largest > 0) & (count > 1)
    found = np.full(len(values), np.nan)
    scaled = rectified[is_known] / largest[is_known, None]  # so that no square underflows
    share = scaled.mean(1) ** 2 / np.square(scaled).mean(1)
    found[is_known] = np.clip((1 - share) / (1 - 1 / max(count, 2)), 0, 1)
    return found


def interpolate(
    rising: npt.NDArray[np.float64],
    quantiles: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Compute quantiles of sorted values, with linear interpolation as in `numpy.quantile`.

    Parameters
    ----------
    rising : float64 array, shape (U, N)
        Rows in ascending order.
    quantiles : float64 array, shape (Q,)
        In [0, 1].
    counts : int64 array, shape (U,)
        How many of the first values of each row to use, 1 to N.

    Returns
    -------
    float64 array, shape (U, Q)
    """
    last = counts[:, None] - 1
    ranks = quantiles * last
    below = np.floor(ranks).astype(np.int64)
    low = np.take_along_axis(rising, below, 1)
    high = np.take_along_axis(rising, np.minimum(below + 1, last), 1)
    found: npt.NDArray[np.float64] = low + (high - low) * (ranks - below)
    return found


def _order(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the indices that sort each row, equal values by index.

    One sort of 64-bit integers, whose high bits are ordered as the values and whose low bits are
    the index: several times as fast as a stable sort of the values.
    """
    bits = (values + np.float32(0)).view(np.int32)  # -0 equals 0
    ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
    keys = (ordered << 32) | np.arange(values.shape[1])
    keys.sort(1)
    return keys & 0xFFFFFFFF


def _histogram(rising: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    low, high = rising[0], rising[-1]
    counts = np.zeros(BINS, np.int32)
    if low == high:
        counts[0] = len(rising)
        return counts
    edges = low + (high - low) * _SHARES
    below = np.searchsorted(rising, edges, "left")
    counts[0], counts[1:-1], counts[-1] = below[0], below[1:] - below[:-1], len(rising) - below[-1]
    return counts


def _class_means(values: npt.NDArray[np.float64], labels: Array, classes: int) -> Array:
    """Average the values of each unit over each class; NaN for a class without images."""
    known = (labels >= 0) & (labels < classes)
    counts = np.bincount(labels[known], minlength=classes)
    cells = np.arange(len(values))[:, None] * classes + labels[known]
    size = len(values) * classes
    sums = np.bincount(cells.ravel(), values[:, known].ravel(), size).reshape(len(values), classes)
    means: Array = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means
