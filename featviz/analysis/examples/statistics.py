"""Statistics of a unit's values, and the images at their extremes and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
"""Quantiles of the images of ``spread``; denser towards the top, where a unit is most selective."""
BINS = 64

Array = npt.NDArray[Any]


def statistics(
    values: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    classes: int,
    top: int,
    quantiles: Sequence[float] = QUANTILES,
) -> dict[str, Array]:
    """Compute statistics of the values of one unit on all images.

    Computed in float64. Images with equal values are ordered by index.

    Parameters
    ----------
    values : float32 array, shape (N,)
        Finite; at least one.
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
        ``top``, ``bottom`` (K,) and ``spread`` (S,), int32: indices of images, from the highest
        value down, from the lowest up, and at rank ``round(q * (N - 1))`` from the lowest up. If N
        is below K, the last ones are -1.
        ``top_values``, ``bottom_values``, ``spread_values``, float32: values of these images; NaN
        where the index is -1.
        ``percentiles`` (101,), float32: percentiles 0 to 100, with linear interpolation.
        ``histogram`` (64,), int32: counts of values v with ``e[i] <= v < e[i + 1]`` for equally
        spaced edges from the minimum to the maximum; the maximum counts to the last bin. All
        values are in the first bin if they are equal.
        ``mean``, ``deviation``, ``active``, ``sparsity``, float32: mean and population standard
        deviation, fraction of values above 0, and `sparsity`.
        ``classes`` (C,), float32: mean over the images of each class; NaN where there is none.
    """
    ascending = np.argsort(values, kind="stable")
    ranks = [round(quantile * (len(values) - 1)) for quantile in quantiles]
    wide = values.astype(np.float64)
    rising = wide[ascending]
    found: dict[str, Array] = {}
    chosen = {
        "top": _highest(values, rising, top),
        "bottom": ascending[:top],
        "spread": ascending[ranks],
    }
    for name, indices in chosen.items():
        size = len(quantiles) if name == "spread" else top
        found[name] = np.full(size, -1, np.int32)
        found[f"{name}_values"] = np.full(size, np.nan, np.float32)
        found[name][: len(indices)] = indices
        found[f"{name}_values"][: len(indices)] = values[indices]
    sums, counts = _by_class(wide, labels, classes)
    found["classes"] = np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)
    found["percentiles"] = np.percentile(rising, np.arange(101))
    found["histogram"] = _histogram(rising)
    found["mean"], found["deviation"] = np.array(wide.mean()), np.array(wide.std())
    found["active"] = np.array((wide > 0).mean())
    found["sparsity"] = np.array(sparsity(wide))
    return {
        name: each.astype(np.float32) if each.dtype == np.float64 else each
        for name, each in found.items()
    }


def sparsity(values: npt.NDArray[np.float64]) -> float:
    """Compute the sparsity of a unit's values over images.

    With r the values clipped at 0, ``(1 - mean(r)^2 / mean(r^2)) / (1 - 1 / N)``: 0 if all are
    equal, 1 if a single one is above 0.

    Parameters
    ----------
    values : float64 array, shape (N,)

    Returns
    -------
    float
        In [0, 1]; NaN for a single image, or if no value is above 0.

    Source: Treves and Rolls, "What determines the capacity of autoassociative memories in the
    brain?", Network 1991, as rescaled by Vinje and Gallant, "Sparse Coding and Decorrelation in
    Primary Visual Cortex During Natural Vision", Science 2000.
    """
    rectified = np.maximum(values, 0)
    largest = rectified.max()
    if len(values) < 2 or largest <= 0:
        return float("nan")
    scaled = rectified / largest  # so that no square underflows
    share = scaled.mean() ** 2 / np.square(scaled).mean()
    return float(np.clip((1 - share) / (1 - 1 / len(values)), 0, 1))


def _highest(
    values: npt.NDArray[np.float32], rising: npt.NDArray[np.float64], top: int
) -> npt.NDArray[np.intp]:
    """Find the indices of the highest values; of equal ones, the smallest indices."""
    threshold = rising[max(0, len(rising) - top)]
    candidates = np.flatnonzero(values >= threshold)
    order: npt.NDArray[np.intp] = np.argsort(-values[candidates], kind="stable")[:top]
    return candidates[order]


def _histogram(rising: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    low, high = rising[0], rising[-1]
    counts = np.zeros(BINS, np.int32)
    if low == high:
        counts[0] = len(rising)
        return counts
    edges = low + (high - low) * (np.arange(1, BINS) / BINS)
    below = np.searchsorted(rising, edges, "left")
    counts[:] = np.diff(below, prepend=0, append=len(rising))
    return counts


def _by_class(
    values: npt.NDArray[np.float64], labels: npt.NDArray[np.int32], classes: int
) -> tuple[Array, Array]:
    """Sum the values of each class, and count them."""
    known = (labels >= 0) & (labels < classes)
    sums = np.bincount(labels[known], values[known], minlength=classes)
    return sums, np.bincount(labels[known], minlength=classes)
