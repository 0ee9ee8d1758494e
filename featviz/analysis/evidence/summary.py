"""One model's report: how its pictures do, number by number and layer by layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from featviz._util.jsonable import plain
from featviz.analysis.evidence.claims import CLAIMS, expected_by_rank
from featviz.analysis.evidence.distribution import Distribution, distribution
from featviz.analysis.evidence.unit import CHECKS, Evidence, Evidences
from featviz.store.reader import Store

NUMBERS: dict[str, tuple[bool, Callable[[Evidence], float]]] = {
    "ratio": (True, lambda unit: unit.picture.ratio),
    "percentile": (True, lambda unit: unit.picture.percentile),
    "kept": (True, lambda unit: unit.picture.kept),
    "fine": (False, lambda unit: unit.picture.fine),
    "grid": (False, lambda unit: unit.picture.grid),
    "spectrum": (False, lambda unit: unit.picture.spectrum),
    "rise": (False, lambda unit: unit.picture.rise),
    "agreement": (True, lambda unit: unit.agreement),
    "diversity": (True, lambda unit: unit.diversity),
    "route": (True, lambda unit: float("nan") if unit.route is None else unit.route.agreement),
}
"""Of each unit's best picture; with them, whether more is better."""


@dataclass(frozen=True)
class Tally:
    """How many units pass something.

    Attributes
    ----------
    passed, known : int
        Units that pass, and units of which it is known whether they do.
    """

    passed: int
    known: int

    @property
    def share(self) -> float:
        """The share that passes of those that are known; NaN of none."""
        return self.passed / self.known if self.known else float("nan")


@dataclass(frozen=True)
class Group:
    """The units of one layer, or all.

    Attributes
    ----------
    units, silent : int
        With pictures, and of these those that do not vary over the validation's images.
    numbers : dict of str to Distribution
        Those of `NUMBERS` that some unit has.
    passes : dict of str to Tally
        By `CHECKS` and `CLAIMS`; silent units count as known, and pass no claim.
    by_rank : dict of str to float
        By `CLAIMS`: of how many of the tested neurons it may hold by rank alone, which is that of
        one in twenty.
    """

    units: int
    silent: int
    numbers: dict[str, Distribution]
    passes: dict[str, Tally]
    by_rank: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """How the pictures of a store do.

    Attributes
    ----------
    model : str
    overall : Group
    layers : dict of str to Group
        By site, in forward order.
    classes : dict of str to dict of str to tuple of str
        By class and claim: the addresses of the neurons of which it is made, by falling effect.
    """

    model: str
    overall: Group
    layers: dict[str, Group]
    classes: dict[str, dict[str, tuple[str, ...]]]

    def to_json(self) -> dict[str, Any]:
        """Write it in values that JSON has; what is not known is null."""
        told: dict[str, Any] = plain(self)
        return told


@dataclass(frozen=True)
class Line:
    """What a report needs of one unit.

    Attributes
    ----------
    address : str
    numbers : dict of str to float
        Those of `NUMBERS`.
    passes : dict of str to bool, or None
        By `CHECKS` and `CLAIMS`; None where that is not known.
    silent : bool
    label : str or None
        The class that it was tested for.
    effects : dict of str to float
        By claim: how strong the effect is that the claim is about; empty if it was not tested.
    """

    address: str
    numbers: dict[str, float]
    passes: dict[str, bool | None]
    silent: bool
    label: str | None
    effects: dict[str, float]


def summary(store: Store | Evidences | str | Path) -> Summary:
    """Summarize the evidence in a store.

    Memory grows by about a kilobyte a unit; pictures are read one at a time.

    Raises
    ------
    FeatvizError
        When there is no such store or it is damaged.
    """
    found = store if isinstance(store, Evidences) else Evidences(store)
    return summary_of(found.store.model, map(line_of, found))


def summary_of(model: str, lines: Iterable[Line]) -> Summary:
    """Summarize units of which a report has a line each, in forward order of their sites."""
    lines = list(lines)
    layers: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        layers[line.address.partition(":")[0]].append(line)
    groups = {site: _group(some) for site, some in layers.items()}
    return Summary(model, _group(lines), groups, _classes(lines))


def line_of(unit: Evidence) -> Line:
    """Take what a report needs from the evidence of a unit."""
    found = unit.verdict
    silent = found is not None and found.silent
    claims = {
        name: None if np.isnan(claim.p) else claim.holds for name, claim in unit.claims.items()
    }
    tested: dict[str, bool | None] = {
        name: False if silent else claims.get(name) for name in CLAIMS
    }
    effects: dict[str, float] = {}
    if found is not None and not silent:
        effects = {
            "necessary": min(each.effect.estimate for each in found.removals.values()),
            "sufficient": found.doses["99"].effect.estimate,
            "pictured": found.doses["picture"].effect.estimate,
        }
    return Line(
        unit.address,
        {name: read(unit) for name, (_, read) in NUMBERS.items()},
        unit.checks | tested,
        silent,
        None if found is None else found.label,
        effects,
    )


def _group(lines: list[Line]) -> Group:
    addresses = [line.address for line in lines]
    numbers = {
        name: distribution(addresses, [line.numbers[name] for line in lines], better)
        for name, (better, _) in NUMBERS.items()
    }
    silent = sum(line.silent for line in lines)
    passes = {name: _tally(line.passes[name] for line in lines) for name in (*CHECKS, *CLAIMS)}
    return Group(
        len(lines),
        silent,
        {name: found for name, found in numbers.items() if found is not None},
        passes,
        {name: expected_by_rank(max(passes[name].known - silent, 0)) for name in CLAIMS},
    )


def _tally(passes: Iterable[bool | None]) -> Tally:
    known = [each for each in passes if each is not None]
    return Tally(sum(known), len(known))


def _classes(lines: list[Line]) -> dict[str, dict[str, tuple[str, ...]]]:
    named: dict[str, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for name in CLAIMS:
            if line.passes[name] and line.label is not None:
                named[line.label][name].append(line)
    return {
        label: {
            name: tuple(line.address for line in sorted(some, key=lambda line: -line.effects[name]))
            for name, some in by_claim.items()
        }
        for label, by_claim in sorted(named.items())
    }
