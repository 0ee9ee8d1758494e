"""Metrics of one picture: its activation relative to natural images, and its scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

Floats = npt.NDArray[np.float64]

NAN = float("nan")


@dataclass(frozen=True)
class NaturalValues:
    """Distribution of the values of a unit over natural images.

    Attributes
    ----------
    percentiles : float64 array, shape (101,)
        Percentiles 0 to 100 of the values.
    """

    percentiles: Floats

    @property
    def median(self) -> float:
        """The median value."""
        return float(self.percentiles[50])

    @property
    def best(self) -> float:
        """The largest value."""
        return float(self.percentiles[100])

    def ratio(self, value: float) -> float:
        """Return a value relative to the median and the best natural image.

        Values before a nonlinearity have an arbitrary zero and may be negative, so the plain
        quotient ``value / best`` is not meaningful. This ratio does not change when the unit is
        scaled by a positive factor or a constant is added to it.

        Parameters
        ----------
        value : float

        Returns
        -------
        float
            ``(value - median) / (best - median)``: 0 at the median, 1 at the best image. NaN if
            the best value equals the median.
        """
        spread = self.best - self.median
        return (value - self.median) / spread if spread > 0 else NAN

    def percentile(self, value: float) -> float:
        """Return the percentage of natural images with lower values.

        Parameters
        ----------
        value : float

        Returns
        -------
        float
            In [0, 100]: linear between two percentiles, and the middle of those that equal
            `value`. 100 above the best image, 0 below the worst. NaN if `value` or a percentile
            is NaN.
        """
        lower = int(np.searchsorted(self.percentiles, value, "left"))
        upper = int(np.searchsorted(self.percentiles, value, "right"))
        if np.isnan(value) or np.isnan(self.percentiles).any():
            return NAN
        if upper > lower:
            return (lower + upper - 1) / 2
        if lower in {0, len(self.percentiles)}:
            return 0.0 if lower == 0 else 100.0
        below, above = self.percentiles[lower - 1], self.percentiles[lower]
        return float(lower - 1 + (value - below) / (above - below))

    @classmethod
    def from_row(cls, row: Row) -> NaturalValues:
        """Read the distribution from a row of a store.

        Parameters
        ----------
        row : Row
            Of kind ``examples``.

        Returns
        -------
        NaturalValues
        """
        return cls(np.asarray(row["percentiles"], np.float64))


@dataclass(frozen=True)
class PictureMetrics:
    """Metrics of one picture. What was not measured is NaN.

    Attributes
    ----------
    activation : float
        Value of the unit on the stored picture, without augmentations.
    ratio : float
        The activation relative to the median (0) and the best natural image (1); see
        `NaturalValues.ratio`.
    percentile : float
        Percentage of natural images with lower values; see `NaturalValues.percentile`.
    held_out : float
        Mean value over held-out augmentations; see
        `featviz.analysis.scores.held_out_views.held_out`.
    kept : float
        ``(held_out - median) / (activation - median)``. NaN if the activation is not above the
        median.
    fine, grid : float
        Shares of the picture's energy at high frequencies and on the patch grid; see
        `featviz.analysis.scores.metrics`.
    spectrum : float
        Distance of its power spectrum from that of natural images; see
        `featviz.analysis.scores.spectrum_distance`.
    rise : float
        Gain of the last doubling of the optimization's steps; see
        `featviz.analysis.scores.metrics.late_gain`.
    latent, rank : float
        Of a latent of a sparse autoencoder: its value after threshold or top-k, and its rank among
        all latents by pre-activation (1 is the largest), at its token; see
        `featviz.activations.latent_ranks`.
    """

    activation: float
    ratio: float = NAN
    percentile: float = NAN
    held_out: float = NAN
    kept: float = NAN
    fine: float = NAN
    grid: float = NAN
    spectrum: float = NAN
    rise: float = NAN
    latent: float = NAN
    rank: float = NAN


def picture_metrics(
    render: Row, examples: Row | None, scores: Row | None, latents: Row | None = None
) -> tuple[PictureMetrics, ...]:
    """Compute the metrics of each sample of a unit.

    Parameters
    ----------
    render : Row
        Of kind ``renders``.
    examples, scores, latents : Row or None
        Of these kinds, of the same unit.

    Returns
    -------
    tuple of PictureMetrics
        One for each of D samples.
    """
    natural = None if examples is None else NaturalValues.from_row(examples)
    found = []
    for sample, activation in enumerate(map(float, render["activation"])):
        measured = (
            (scores, ("held_out", "fine", "grid", "spectrum", "rise")),
            (latents, ("latent", "rank")),
        )
        values = {
            name: NAN if row is None else float(row[name][sample])
            for row, names in measured
            for name in names
        }
        if natural is not None:
            above, held_out = activation - natural.median, values["held_out"]
            values["ratio"] = natural.ratio(activation)
            values["percentile"] = natural.percentile(activation)
            values["kept"] = (held_out - natural.median) / above if above > 0 else NAN
        found.append(PictureMetrics(activation, **values))
    return tuple(found)
