"""Columns of the table of units: one row for each unit, one column for each number or text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from featviz.addressing.address import split_address
from featviz.addressing.combinations import is_combination
from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.headline import headline
from featviz.analysis.evidence.image_classes import ImageClasses, most_common_class
from featviz.analysis.evidence.unit_evidence import CHECKS, EvidenceReader, UnitEvidence
from featviz.analysis.evidence.unit_metrics import UNIT_METRICS
from featviz.store.reader import Store

Value = str | int | float | bool | None
"""A value in the table; None where it is not known."""


@dataclass(frozen=True)
class UnitRecord:
    """All that the columns read of a unit.

    Attributes
    ----------
    evidence : UnitEvidence
    kind : str or None
        Kind of its pictures; see `EvidenceReader.all_units`.
    top_classes : list of (str or None)
        Classes of the natural images with the highest activation, the highest first.
    """

    evidence: UnitEvidence
    kind: str | None
    top_classes: list[str | None]

    def part(self, index: int) -> str | None:
        """Return the site (0), the index (1) or the token (2) of the address.

        None for sums of units.
        """
        address = self.evidence.address
        return None if is_combination(address) else split_address(address)[index]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    kind : type
        ``str``, ``int``, ``float`` or ``bool``.
    read : callable
        From a `UnitRecord`; NaN and None where the value is not known.
    """

    kind: type
    read: Callable[[UnitRecord], Any]


def _example(name: str, index: int | None, record: UnitRecord) -> float | None:
    examples = record.evidence.examples
    if examples is None:
        return None
    return float(examples[name] if index is None else examples[name][index])


def _top_class(record: UnitRecord) -> str | None:
    common = most_common_class(record.top_classes)
    return None if common is None else common[0]


def _top_class_share(record: UnitRecord) -> float | None:
    common = most_common_class(record.top_classes)
    return None if common is None else common[1] / len(record.top_classes)


def _headline(record: UnitRecord) -> str | None:
    return headline(record.evidence, record.top_classes).text or None


def _tests(name: str, record: UnitRecord) -> Any:
    tests = record.evidence.causal_tests
    return None if tests is None else getattr(tests, name)


def _claim(claim: str, name: str, record: UnitRecord) -> Any:
    found = record.evidence.claims.get(claim)
    return None if found is None or math.isnan(found.p) else getattr(found, name)


def _effect(claim: str, name: str, record: UnitRecord) -> float | None:
    effect = record.evidence.effects.get(claim)
    return None if effect is None else float(getattr(effect, name))


def _claim_columns(claim: str) -> dict[str, Column]:
    return {
        claim: Column(bool, partial(_claim, claim, "holds")),
        f"{claim}_effect": Column(float, partial(_effect, claim, "estimate")),
        f"{claim}_low": Column(float, partial(_effect, claim, "low")),
        f"{claim}_high": Column(float, partial(_effect, claim, "high")),
        f"{claim}_p": Column(float, partial(_claim, claim, "p")),
        f"{claim}_q": Column(float, partial(_claim, claim, "q")),
    }


def _logit(choose: Callable[..., tuple[str, float]], index: int, record: UnitRecord) -> Any:
    """Return the name (0) or the effect (1) of the class with the highest or lowest effect."""
    effects = record.evidence.logits
    return choose(effects.items(), key=lambda item: item[1])[index] if effects else None


def _metric(name: str, record: UnitRecord) -> float:
    return float(UNIT_METRICS[name](record.evidence))


def _check(name: str, record: UnitRecord) -> bool | None:
    return record.evidence.checks[name]


COLUMNS: dict[str, Column] = {
    "address": Column(str, lambda record: record.evidence.address),
    "layer": Column(str, lambda record: record.part(0)),
    "index": Column(str, lambda record: record.part(1)),
    "token": Column(str, lambda record: record.part(2)),
    "kind": Column(str, lambda record: record.kind),
    "samples": Column(int, lambda record: len(record.evidence.pictures)),
    "best_sample": Column(int, lambda record: record.evidence.best if record.kind else None),
    **{name: Column(float, partial(_metric, name)) for name in UNIT_METRICS},
    **{name: Column(bool, partial(_check, name)) for name in CHECKS},
    "natural_median": Column(float, partial(_example, "percentiles", 50)),
    "natural_best": Column(float, partial(_example, "percentiles", 100)),
    "natural_mean": Column(float, partial(_example, "mean", None)),
    "natural_deviation": Column(float, partial(_example, "deviation", None)),
    "natural_sparsity": Column(float, partial(_example, "sparsity", None)),
    "natural_active": Column(float, partial(_example, "active", None)),
    "top_class": Column(str, _top_class),
    "top_class_share": Column(float, _top_class_share),
    "headline": Column(str, _headline),
    "silent": Column(bool, partial(_tests, "silent")),
    "tested_class": Column(str, partial(_tests, "label")),
    "tested_images": Column(int, partial(_tests, "images")),
    "neutral_images": Column(int, partial(_tests, "neutral")),
    **{name: column for claim in CLAIMS for name, column in _claim_columns(claim).items()},
    "mediation": Column(float, partial(_tests, "mediation")),
    "mediation_control": Column(float, partial(_tests, "mediation_control")),
    "mediation_p": Column(float, partial(_tests, "mediation_p")),
    "writes_to": Column(str, partial(_logit, max, 0)),
    "writes_to_effect": Column(float, partial(_logit, max, 1)),
    "writes_against": Column(str, partial(_logit, min, 0)),
    "writes_against_effect": Column(float, partial(_logit, min, 1)),
}
"""The columns by name, in order."""


def unit_rows(store: Store | str | Path) -> Iterator[dict[str, Value]]:
    """Read the table of units row by row.

    Parameters
    ----------
    store : Store, str or Path

    Yields
    ------
    dict
        A value for each of `COLUMNS`: of each unit with pictures, natural images, scores, paths,
        causal tests or direct effects on logits, in the order of the store.

    Raises
    ------
    FeatvizError
        If there is no such store, or it is damaged.
    """
    reader = EvidenceReader(store)
    has_examples = "examples" in reader.store.kinds
    classes = ImageClasses(reader.store) if has_examples else None
    for evidence, kind in reader.all_units():
        top: list[str | None] = []
        if classes is not None and evidence.examples is not None:
            top = classes.of_top(evidence.examples)
        record = UnitRecord(evidence, kind, top)
        yield {name: _known(column.read(record)) for name, column in COLUMNS.items()}


def _known(value: Any) -> Value:
    known: Value = None if isinstance(value, float) and math.isnan(value) else value
    return known
