"""Bootstrap intervals, over images, of means and of ratios of means, at many sites at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 4000
LEVEL = 0.95
"""Share of intervals that hold what they estimate."""

LEAST_SPREAD = 0.1
"""Of a resample, in parts of that of the images: below, it is taken for this.

Without the few images that carry an effect a resample has hardly any spread, and the interval of
every site would be endless."""

# Sites, and resamples, that are computed together: what is held at once stays below 50 MB.
_SITES = 256
_ROWS = 500


@dataclass(frozen=True)
class Intervals:
    """Estimates at S sites, each with an interval of its own and one that is right for all.

    Attributes
    ----------
    count : int
        Number of images.
    estimate : float64 array, shape (S,)
    low, high : float64 arrays, shape (S,)
        Hold the true value of a site at the level asked for; NaN for fewer than 2 images.
    all_low, all_high : float64 arrays, shape (S,)
        Hold the true values of all S sites together at that level; never narrower.
    """

    count: int
    estimate: Floats
    low: Floats
    high: Floats
    all_low: Floats
    all_high: Floats


def intervals(
    values: Floats,
    over: Floats | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """Estimate means, or ratios of means, with intervals over images.

    The symmetric studentized bootstrap: an interval reaches as many standard errors to both sides
    as the estimates of 95 % of all resamples lie from that of the images, each in standard errors
    of its own. For all sites together it is the site furthest away that counts. Images are
    resampled whole: all sites of an image, and both sides of a ratio, stay together.

    Of the intervals tried on skewed effects and on those of a trained model, these held the truth
    most nearly as often as they say; see ``docs/intervals.md``.

    Parameters
    ----------
    values : array, shape (N, S)
        Of N images at S sites; finite.
    over : array, shape (N,), optional
        The estimate is ``values.mean(0) / over.mean()``; without it, ``values.mean(0)``.
    level : float
        Above 0 and below 1.
    resamples : int
        Of the images; from 1000 the ends of 95 % intervals settle.
    seed : int
        Names the random stream. A resample is the same for every site.

    Returns
    -------
    Intervals

    Source: Hall, "On symmetric bootstrap confidence intervals", JRSS B 50, 1988; the largest of
    studentized statistics is that of Romano and Wolf, "Exact and approximate stepdown methods for
    multiple hypothesis testing", JASA 100, 2005. The standard error of a ratio is the delta
    method's.
    """
    count, sites = values.shape
    below = np.ones(count) if over is None else over
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = values.mean(0) / below.mean()
    if count < 2 or not np.isfinite(estimate).all():
        unknown = np.full(sites, np.nan)
        return Intervals(count, estimate, unknown, unknown, unknown, unknown)
    # In deviations from the estimate, beside which rounding is small.
    left = values - estimate * below[:, None]
    drawn = _draw(count, resamples, np.random.default_rng(seed))
    largest, reach = np.zeros(resamples), np.empty(sites)
    for part in _parts(sites, _SITES):
        distances = _distances(left[:, part], below, drawn)
        reach[part] = np.quantile(distances, level, axis=0)
        np.maximum(largest, distances.max(axis=1), out=largest)
    error = left.std(axis=0, ddof=1) / np.sqrt(count) / abs(below.mean())
    own, together = reach * error, np.quantile(largest, level) * error
    return Intervals(
        count, estimate, estimate - own, estimate + own, estimate - together, estimate + together
    )


def _parts(whole: int, part: int) -> Iterator[slice]:
    return (slice(start, start + part) for start in range(0, whole, part))


def _draw(count: int, resamples: int, generator: np.random.Generator) -> NDArray[np.uint16]:
    """Draw how often each image is in each resample, shape (resamples, count)."""
    drawn = np.empty((resamples, count), np.uint16)
    for part in _parts(resamples, _ROWS):
        rows = len(drawn[part])
        # Counted in one go: each row has numbers of its own.
        chosen = generator.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        drawn[part] = np.bincount(chosen.ravel(), minlength=rows * count).reshape(rows, count)
    return drawn


def _distances(left: Floats, below: Floats, drawn: NDArray[np.uint16]) -> Floats:
    """Compute how far resamples' estimates are from that of the images, (resamples, S).

    Parameters
    ----------
    left : array, shape (N, S)
        Values less the estimate times `below`: what is left of them has a mean of 0.
    """
    count = len(left)
    square, mixed = left**2, left * below[:, None]
    least = LEAST_SPREAD**2 * square.mean(axis=0) / below.mean() ** 2
    found = np.empty((len(drawn), left.shape[1]))
    for part in _parts(len(drawn), _ROWS):
        weights = drawn[part] / count
        with np.errstate(divide="ignore", invalid="ignore"):
            divisor = (weights @ below)[:, None]
            moved = (weights @ left) / divisor
            variance = weights @ square - 2 * moved * (weights @ mixed)
            variance += moved**2 * (weights @ below**2)[:, None]
            variance = np.maximum(variance / divisor**2, least)
            distance = np.abs(moved) * np.sqrt((count - 1) / variance)
        distance[moved == 0] = 0
        found[part] = np.nan_to_num(distance, nan=np.inf, posinf=np.inf)
    return found
