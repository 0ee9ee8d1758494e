"""Synthetic effects with known means, as skewed and as sparse as real ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

MEANS = {
    "normal": 0.0,
    "exponential": 1.0,
    "falling exponential": -1.0,
    "chi-square": 1.0,
    "probabilities": 0.2,
    "some flip": 0.27,
    "few flip": 0.09,
    "lognormal": math.exp(0.5),
}
"""True mean of each kind; skewness is 0, 2, -2, 2.8, 1.4, 0.9, 2.7 and 6.2."""


def skewed(kind: str, normal: Floats) -> Floats:
    """Transform standard normal samples to a distribution by name, keeping their order."""
    if kind == "normal":
        return normal
    share = special.ndtr(normal)
    kinds: dict[str, Callable[[], Floats]] = {
        "exponential": lambda: -np.log(special.ndtr(-normal)),
        "falling exponential": lambda: np.log(share),
        "chi-square": lambda: special.ndtri(special.ndtr(-normal) / 2) ** 2,
        "probabilities": lambda: special.betaincinv(0.3, 1.2, share),
        "lognormal": lambda: np.exp(normal),
        "some flip": lambda: _flipped(share, 0.3),
        "few flip": lambda: _flipped(share, 0.1),
    }
    return kinds[kind]()


def _flipped(share: Floats, rate: float) -> Floats:
    """Place a fraction `rate` of the values near 0.9, and the others near 0.

    The largest values flip; the value within each group follows from the rank in it.
    """
    flips = share > 1 - rate
    inside = np.where(flips, (share - 1 + rate) / rate, share / (1 - rate))
    found: Floats = 0.9 * flips + 0.02 * special.ndtri(inside)
    return found
