"""q-values: the false discovery rate at which one of many tests would be called."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.05
"""q-value up to which a claim is made: of all tests called, no larger share is expected to be of
those that only chance, of the kind that their p-values count, has lifted."""


def q_values(p_values: npt.ArrayLike) -> Floats:
    """Adjust the p-values of many tests for their number.

    The q-value of a test is the smallest false discovery rate at which it is called: with the
    p-values of ``m`` tests in ascending order, the smallest ``m * p_j / j`` over all ``j`` from its
    own place on, and at most 1.

    Parameters
    ----------
    p_values : array_like, shape (N,)
        In [0, 1]. NaN stands for what was not tested; it does not count.

    Returns
    -------
    float64 array, shape (N,)
        Never below the p-value; NaN where that is NaN.

    Source: Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995. It
    holds for independent tests, and for such as depend on each other positively (Benjamini and
    Yekutieli, Annals of Statistics 29, 2001).
    """
    tested = np.asarray(p_values, np.float64)
    found = np.full(tested.shape, np.nan)
    (places,) = np.nonzero(~np.isnan(tested))
    order = places[np.argsort(tested[places], kind="stable")]
    count = len(order)
    scaled = tested[order] * (count / np.arange(1, count + 1))
    # From the largest down: what is called at a rate is called at every higher one.
    lowest = np.minimum.accumulate(scaled[::-1])[::-1]
    found[order] = np.maximum(np.minimum(lowest, 1), tested[order])
    return found
