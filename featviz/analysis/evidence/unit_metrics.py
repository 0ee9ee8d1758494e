"""Metrics of units: one number per unit, of its best picture or of its causal tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial

from featviz.analysis.evidence.metrics import NAN, PictureMetrics
from featviz.analysis.evidence.unit_evidence import UnitEvidence


def _of_picture(name: str, unit: UnitEvidence) -> float:
    value: float = getattr(unit.picture, name)
    return value


def _of_claim(name: str, unit: UnitEvidence) -> float:
    """Return the size of an effect if the claim about it holds, else NaN."""
    claim = unit.claims.get(name)
    return unit.effects[name].estimate if claim is not None and claim.holds else NAN


UNIT_METRICS: dict[str, Callable[[UnitEvidence], float]] = {
    **{field.name: partial(_of_picture, field.name) for field in fields(PictureMetrics)},
    "agreement": lambda unit: unit.agreement,
    "diversity": lambda unit: unit.diversity,
    "path": lambda unit: unit.naturalness,
    "necessity": partial(_of_claim, "necessary"),
    "sufficiency": partial(_of_claim, "sufficient"),
}
"""How to read each metric of a unit; NaN where it is not known.

Those of `PictureMetrics` are of the best picture. `path` is the naturalness of its path;
`necessity` and `sufficiency` are effect sizes, of the neurons for which the claim holds.
"""
