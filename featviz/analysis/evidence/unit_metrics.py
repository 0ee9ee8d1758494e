"""Metrics of units: one number per unit, of its best picture or of its causal tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial

from featviz.analysis.evidence.metrics import NAN, PictureMetrics
from featviz.analysis.evidence.unit_evidence import UnitEvidence
from featviz.analysis.examples.statistics import QUANTILES


def _of_picture(name: str, unit: UnitEvidence) -> float:
    value: float = getattr(unit.picture, name)
    return value


def _of_claim(name: str, unit: UnitEvidence) -> float:
    """Return the size of an effect if the claim about it holds, else NaN."""
    claim = unit.claims.get(name)
    return unit.effects[name].estimate if claim is not None and claim.holds else NAN


def _of_firing(name: str, unit: UnitEvidence) -> float:
    return NAN if unit.firing is None else float(getattr(unit.firing, name))


def _firing_median(unit: UnitEvidence) -> float:
    return NAN if unit.firing is None else float(unit.firing.quantiles[QUANTILES.index(0.5)])


def _of_latent(name: str, unit: UnitEvidence) -> float:
    """Return a statistic of the values of a latent on natural images."""
    known = unit.firing is not None and unit.examples is not None
    return float(unit.examples[name]) if known and unit.examples is not None else NAN


UNIT_METRICS: dict[str, Callable[[UnitEvidence], float]] = {
    **{field.name: partial(_of_picture, field.name) for field in fields(PictureMetrics)},
    "agreement": lambda unit: unit.agreement,
    "diversity": lambda unit: unit.diversity,
    "path": lambda unit: unit.naturalness,
    "necessity": partial(_of_claim, "necessary"),
    "sufficiency": partial(_of_claim, "sufficient"),
    "density": partial(_of_firing, "tokens"),
    "fires": partial(_of_firing, "images"),
    "firing_median": _firing_median,
    "natural_mean": partial(_of_latent, "mean"),
    "natural_deviation": partial(_of_latent, "deviation"),
    "natural_sparsity": partial(_of_latent, "sparsity"),
}
"""How to read each metric of a unit; NaN where it is not known.

Those of `PictureMetrics` are of the best picture. `path` is the naturalness of its path;
`necessity` and `sufficiency` are effect sizes, of the neurons for which the claim holds. The last
six are of latents of sparse autoencoders, whose `featviz.analysis.examples.firing` is known.
"""
