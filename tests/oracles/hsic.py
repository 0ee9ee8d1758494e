"""CKA with the unbiased and the biased estimator of HSIC, by their definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def unbiased_hsic(k: Matrix, l: Matrix) -> float:  # noqa: E741
    """Average over all 4-tuples of distinct images.

    Source: Gretton et al., 2005; as a U-statistic in Song et al., 2012, theorem 2.
    """
    total, count = 0.0, 0
    for i, j, q, r in permutations(range(len(k)), 4):
        total += k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
        count += 1
    return float(total / count)


def debiased_cka(x: Matrix, y: Matrix) -> float:
    """Linear CKA from uncentered Gram matrices."""
    k, l = x @ x.T, y @ y.T  # noqa: E741
    return float(unbiased_hsic(k, l) / (unbiased_hsic(k, k) * unbiased_hsic(l, l)) ** 0.5)


def plain_cka(x: Matrix, y: Matrix) -> float:
    """Linear CKA with the biased estimator, from Gram matrices centered by products."""
    count = len(x)
    centering = np.eye(count) - np.ones((count, count)) / count
    k, l = centering @ x @ x.T @ centering, centering @ y @ y.T @ centering  # noqa: E741
    return float((k * l).sum() / ((k * k).sum() * (l * l).sum()) ** 0.5)
