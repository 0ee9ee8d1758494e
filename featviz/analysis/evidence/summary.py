"""Summary of the evidence in a store: metrics, checks and claims, overall and by layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from featviz._util.jsonable import to_jsonable
from featviz.analysis.evidence.claims import CLAIMS, expected_by_rank
from featviz.analysis.evidence.distribution import Distribution, distribution
from featviz.analysis.evidence.unit_evidence import CHECKS, EvidenceReader, UnitEvidence
from featviz.analysis.evidence.unit_metrics import UNIT_METRICS
from featviz.store.reader import Store

METRICS: dict[str, tuple[bool, Callable[[UnitEvidence], float]]] = {
    **{name: (True, UNIT_METRICS[name]) for name in ("ratio", "percentile", "kept")},
    **{name: (False, UNIT_METRICS[name]) for name in ("fine", "grid", "spectrum", "rise")},
    **{name: (True, UNIT_METRICS[name]) for name in ("agreement", "diversity")},
    "route": (True, UNIT_METRICS["path"]),
}
"""Metrics of the best picture of a unit: whether higher is better, and how to read them."""


@dataclass(frozen=True)
class PassCount:
    """Number of units that pass a check or a claim.

    Attributes
    ----------
    passed, known : int
        Units that pass, and units with a known result.
    """

    passed: int
    known: int

    @property
    def share(self) -> float:
        """Share of the units with a known result that pass; NaN if there are none."""
        return self.passed / self.known if self.known else float("nan")


@dataclass(frozen=True)
class GroupSummary:
    """Summary of the units of one layer, or of all.

    Attributes
    ----------
    units, silent : int
        Units with pictures, and those among them that do not vary over the validation images.
    numbers : dict of str to Distribution
        By name; the `METRICS` that at least one unit has.
    passes : dict of str to PassCount
        By `CHECKS` and `CLAIMS`. Silent units have a known result and pass no claim.
    by_rank : dict of str to float
        By `CLAIMS`: number of tested neurons that are expected to pass by rank alone, 5 %.
    """

    units: int
    silent: int
    numbers: dict[str, Distribution]
    passes: dict[str, PassCount]
    by_rank: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """Summary of the pictures of a store.

    Attributes
    ----------
    model : str
    overall : GroupSummary
    layers : dict of str to GroupSummary
        By site, in forward order.
    classes : dict of str to dict of str to tuple of str
        By class and claim: addresses of the neurons for which it holds, by decreasing effect.
    """

    model: str
    overall: GroupSummary
    layers: dict[str, GroupSummary]
    classes: dict[str, dict[str, tuple[str, ...]]]

    def to_json(self) -> dict[str, Any]:
        """Convert to values that JSON can represent; None for what is not known.

        Returns
        -------
        dict
            The fields of this class by name.
        """
        fields: dict[str, Any] = to_jsonable(self)
        return fields


@dataclass(frozen=True)
class UnitSummary:
    """What the summary of a store needs of one unit.

    Attributes
    ----------
    address : str
    numbers : dict of str to float
        Values of `METRICS`; NaN where not known.
    passes : dict of str to bool or None
        By `CHECKS` and `CLAIMS`; None where not known.
    silent : bool
    label : str or None
        The class that was tested.
    effects : dict of str to float
        By claim: size of the effect that the claim is about; empty if nothing was tested.
    """

    address: str
    numbers: dict[str, float]
    passes: dict[str, bool | None]
    silent: bool
    label: str | None
    effects: dict[str, float]


def summarize(store: Store | EvidenceReader | str | Path) -> Summary:
    """Summarize the evidence in a store.

    Memory grows by about 1 kB per unit; pictures are read one at a time.

    Parameters
    ----------
    store : Store, EvidenceReader, str or Path

    Returns
    -------
    Summary

    Raises
    ------
    FeatvizError
        If there is no such store, or it is damaged.
    """
    reader = store if isinstance(store, EvidenceReader) else EvidenceReader(store)
    return summarize_units(reader.store.model, map(summarize_unit, reader))


def summarize_units(model: str, units: Iterable[UnitSummary]) -> Summary:
    """Combine the summaries of units.

    Parameters
    ----------
    model : str
        Name of the model.
    units : iterable of UnitSummary
        In forward order of their sites.

    Returns
    -------
    Summary
    """
    units = list(units)
    layers: dict[str, list[UnitSummary]] = defaultdict(list)
    for unit in units:
        layers[unit.address.partition(":")[0]].append(unit)
    groups = {site: _group(some) for site, some in layers.items()}
    return Summary(model, _group(units), groups, _classes(units))


def summarize_unit(unit: UnitEvidence) -> UnitSummary:
    """Reduce the evidence of a unit to what the summary of a store needs.

    Parameters
    ----------
    unit : UnitEvidence

    Returns
    -------
    UnitSummary
    """
    tests = unit.causal_tests
    silent = tests is not None and tests.silent
    claims = {
        name: None if np.isnan(claim.p) else claim.holds for name, claim in unit.claims.items()
    }
    tested: dict[str, bool | None] = {
        name: False if silent else claims.get(name) for name in CLAIMS
    }
    return UnitSummary(
        unit.address,
        {name: read(unit) for name, (_, read) in METRICS.items()},
        unit.checks | tested,
        silent,
        None if tests is None else tests.label,
        {name: effect.estimate for name, effect in unit.effects.items()},
    )


def _group(units: list[UnitSummary]) -> GroupSummary:
    addresses = [unit.address for unit in units]
    distributions = {
        name: distribution(addresses, [unit.numbers[name] for unit in units], higher_is_better)
        for name, (higher_is_better, _) in METRICS.items()
    }
    silent = sum(unit.silent for unit in units)
    passes = {name: _count(unit.passes[name] for unit in units) for name in (*CHECKS, *CLAIMS)}
    return GroupSummary(
        len(units),
        silent,
        {name: found for name, found in distributions.items() if found is not None},
        passes,
        {name: expected_by_rank(max(passes[name].known - silent, 0)) for name in CLAIMS},
    )


def _count(passes: Iterable[bool | None]) -> PassCount:
    known = [each for each in passes if each is not None]
    return PassCount(sum(known), len(known))


def _classes(units: list[UnitSummary]) -> dict[str, dict[str, tuple[str, ...]]]:
    by_class: dict[str, dict[str, list[UnitSummary]]] = defaultdict(lambda: defaultdict(list))
    for unit in units:
        for name in CLAIMS:
            if unit.passes[name] and unit.label is not None:
                by_class[unit.label][name].append(unit)
    return {
        label: {
            name: tuple(unit.address for unit in sorted(some, key=lambda unit: -unit.effects[name]))
            for name, some in by_claim.items()
        }
        for label, by_claim in sorted(by_class.items())
    }
