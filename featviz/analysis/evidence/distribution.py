"""How a number is distributed over units, and which of them have the best and the worst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

QUANTILES = (0, 5, 25, 50, 75, 95, 100)
"""In percent."""

BINS = 20
SHOWN = 5
"""Pictures named as the best and as the worst."""


@dataclass(frozen=True)
class Distribution:
    """How a number is distributed over the units that have it.

    Attributes
    ----------
    count : int
        Units that have the number.
    higher_is_better : bool
    quantiles : dict of str to float
        At 0, 5, 25, 50, 75, 95 and 100 percent; linear between two units.
    edges : float64 array, shape (B + 1,)
        Of bins of equal width from the smallest to the largest value; where all are alike, from
        half below to half above.
    histogram : int64 array, shape (B,)
        Units in each bin.
    best, worst : tuple of (str, float)
        The addresses with the best and with the worst values, the extreme one first.
    """

    count: int
    higher_is_better: bool
    quantiles: dict[str, float]
    edges: Floats
    histogram: npt.NDArray[np.int64]
    best: tuple[tuple[str, float], ...]
    worst: tuple[tuple[str, float], ...]


def distribution(
    addresses: list[str], values: npt.ArrayLike, higher_is_better: bool
) -> Distribution | None:
    """Describe the values of units; NaN is left out. None if nothing remains.

    Ties are in the order of the addresses.
    """
    every = np.asarray(values, np.float64)
    (known,) = np.nonzero(~np.isnan(every))
    if not known.size:
        return None
    some = every[known]
    quantiles = np.percentile(some, QUANTILES)
    edges = np.linspace(some.min(), some.max(), BINS + 1)
    if not (np.diff(edges) > 0).all():  # all alike, or nearly
        edges = np.linspace(some.min() - 0.5, some.max() + 0.5, BINS + 1)
    histogram, _ = np.histogram(some, edges)
    ranks = -some if higher_is_better else some
    named = [(addresses[place], float(every[place])) for place in known]
    best, worst = (
        tuple(named[place] for place in np.argsort(key, kind="stable")[:SHOWN])
        for key in (ranks, -ranks)
    )
    at = {str(percent): float(value) for percent, value in zip(QUANTILES, quantiles, strict=True)}
    return Distribution(
        len(some), higher_is_better, at, edges, histogram.astype(np.int64), best, worst
    )
