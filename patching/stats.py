"""Bootstrap intervals, over images, of means and of ratios of means, at many sites at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

RESAMPLES = 4000
LEVEL = 0.95
"""Share of intervals that hold what they estimate."""

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
        Hold the true value of a site with a probability of `level`; NaN for fewer than 2 images.
    all_low, all_high : float64 arrays, shape (S,)
        Hold the true values of all S sites together with that probability; never narrower.
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

    Images are resampled whole: all sites of an image, and both sides of a ratio, stay together.
    An interval of one site is the bias-corrected and accelerated bootstrap, its level raised so
    that it is Student's t interval for normal values. Those of all sites together take the
    largest deviation of a Gaussian with the sites' correlations, by a multiplier bootstrap, as the
    critical value, and undo the skewness of each site's t statistic. Both stay finite where a
    single image carries an effect, unlike a studentised bootstrap, some of whose resamples have
    hardly any variance then.

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

    Source: Efron, "Better bootstrap confidence intervals", JASA 82, 1987, with the correction for
    small samples of Hesterberg, "What teachers should know about the bootstrap", The American
    Statistician 69, 2015; Chernozhukov, Chetverikov and Kato, "Gaussian approximations and
    multiplier bootstrap for maxima of sums of high-dimensional random vectors", Annals of
    Statistics 41, 2013; Hall, "On the removal of skewness by transformation", JRSS B 54, 1992.
    """
    count, sites = values.shape
    below = np.ones(count) if over is None else over
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = values.mean(0) / below.mean()
        # What each image adds to the estimate: its deviation to first order.
        influence = (values - estimate * below[:, None]) / below.mean()
    if count < 2 or not np.isfinite(estimate).all():
        unknown = np.full(sites, np.nan)
        return Intervals(count, estimate, unknown, unknown, unknown, unknown)
    alone, together = np.random.default_rng(seed).spawn(2)
    drawn = _draw(count, resamples, alone)
    ends = [
        _accelerated(values[:, part], below, influence[:, part], drawn, level)
        for part in _parts(sites, _SITES)
    ]
    low, high = (np.concatenate(end) for end in zip(*ends, strict=True))
    steps = _unskewed(influence, _largest(influence, resamples, level, together))
    all_low, all_high = estimate - steps[1], estimate - steps[0]
    return Intervals(
        count, estimate, low, high, np.minimum(low, all_low), np.maximum(high, all_high)
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


def _accelerated(
    values: Floats, below: Floats, influence: Floats, drawn: NDArray[np.uint16], level: float
) -> tuple[Floats, Floats]:
    """Return the ends of bias-corrected and accelerated intervals, each of shape (S,)."""
    count, resamples = len(values), len(drawn)
    # In deviations from the estimate, so that rounding is small beside them and ties are exact.
    estimate = values.mean(0) / below.mean()
    centred = values - estimate * below[:, None]
    found = np.concatenate(
        [
            (weights @ centred) / (weights @ below)[:, None]
            for weights in (drawn[part].astype(np.float64) for part in _parts(resamples, _ROWS))
        ]
    )
    smaller = (found < 0).mean(0) + (found == 0).mean(0) / 2
    bias = special.ndtri(smaller.clip(1 / resamples, 1 - 1 / resamples))
    acceleration = _skewness(influence) / (6 * np.sqrt(count))
    reach = np.sqrt(count / (count - 1)) * special.stdtrit(count - 1, (1 + level) / 2)
    found.sort(axis=0)
    ends = []
    for normal in (-reach, reach):
        moved = bias + normal
        share = special.ndtr(bias + moved / (1 - acceleration * moved))
        ends.append(estimate + _quantiles(found, share))
    return ends[0], ends[1]


def _quantiles(ordered: Floats, share: Floats) -> Floats:
    """Of each column its own quantile, between neighbours in proportion."""
    place = (share * (len(ordered) + 1) - 1).clip(0, len(ordered) - 1)
    before = np.floor(place).astype(int)
    after, column = np.minimum(before + 1, len(ordered) - 1), np.arange(ordered.shape[1])
    first, second = ordered[before, column], ordered[after, column]
    between: Floats = first + (place - before) * (second - first)
    return between


def _skewness(influence: Floats) -> Floats:
    """Third standardised moment of each column; 0 where all is equal."""
    spread = np.sqrt((influence**2).mean(0))
    return _divided((influence**3).mean(0), spread**3)


def _divided(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _largest(
    influence: Floats, resamples: int, level: float, generator: np.random.Generator
) -> float:
    """Find the quantile of the largest of all sites' deviations, in standard errors."""
    count = len(influence)
    scaled = _divided(influence, np.broadcast_to(np.sqrt((influence**2).sum(0)), influence.shape))
    largest = np.empty(resamples)
    for rows in _parts(resamples, _ROWS):
        noise = generator.standard_normal((len(largest[rows]), count))
        largest[rows] = np.max(
            [np.abs(noise @ scaled[:, part]).max(1) for part in _parts(scaled.shape[1], _SITES)], 0
        )
    return float(np.quantile(largest, level))


def _unskewed(influence: Floats, critical: float) -> tuple[Floats, Floats]:
    """Deviations of the estimate from the truth that a normal critical value stands for.

    Hall's third-order polynomial makes the t statistic of a skewed mean nearly normal; this is its
    inverse at minus and plus the critical value, whose level Student's t takes over.
    """
    count = len(influence)
    error = influence.std(0, ddof=1) / np.sqrt(count)
    student = -special.stdtrit(count - 1, special.ndtr(-critical))
    unbiased = np.sqrt(count * (count - 1)) / max(count - 2, 1)
    skew = _skewness(influence) * unbiased / np.sqrt(count)
    # Below this the polynomial is the identity to within rounding, and its inverse divides by 0.
    bent = np.abs(skew) > 1e-6
    safe = np.where(bent, skew, 1.0)
    low, high = (
        error * np.where(bent, 3 / safe * (np.cbrt(1 + safe * (x - safe / 6)) - 1), x)
        for x in (-student, student)
    )
    return low, high
