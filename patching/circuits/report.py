"""Read the circuits of a store: curves with intervals, and the strongest edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz._util.jsonable import to_jsonable
from featviz.errors import FeatvizError
from featviz.store.reader import Store
from patching.circuits.faithfulness import Curve
from patching.effects.bootstrap import intervals

Floats = NDArray[np.float64]

SCORES, CIRCUITS, EDGES, EFFECTS = "edge_scores", "circuits", "circuit_edges", "circuit_effects"
"""Kinds of results in a store; see `patching.circuits.job`."""


@dataclass(frozen=True)
class Point:
    """A circuit of a curve.

    Attributes
    ----------
    count : int
        Number of edges.
    faithfulness, low, high : float
        Share of the total effect that the circuit keeps, with a 95 % bootstrap interval.
    completeness : float
        Share of the total effect that is lost without the circuit.
    """

    count: int
    faithfulness: float
    low: float
    high: float
    completeness: float


@dataclass(frozen=True)
class MethodCurve:
    """The circuits of one method; points of random ones are averages over circuits of a size.

    Attributes
    ----------
    method : str
        ``edges``, ``components`` or ``random``.
    points : tuple of Point
    cpr, cmd : float
        See `patching.circuits.faithfulness.Curve`.
    size : int or None
        Fewest edges that keep 80 % of the effect.
    """

    method: str
    points: tuple[Point, ...]
    cpr: float
    cmd: float
    size: int | None


@dataclass(frozen=True)
class EdgeEffect:
    """An edge with its score and, of the strongest, its exact effect.

    Attributes
    ----------
    name : str
    score : float
        Mean on the images that circuits are chosen on.
    effect, low, high : float or None
        Mean effect by path patching on the other images, with a 95 % bootstrap interval.
    """

    name: str
    score: float
    effect: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Report:
    """What a store says about circuits.

    Attributes
    ----------
    scored, tested : int
        Correctly classified images that edges are scored, and circuits tested, on.
    edges : int
        Number of edges of the graph.
    total, low, high : float
        Mean total effect on the tested images: the metric of the clean run minus that of the
        corrupted one, with a 95 % bootstrap interval.
    curves : tuple of MethodCurve
    strongest : tuple of EdgeEffect
        Largest absolute score first.
    """

    scored: int
    tested: int
    edges: int
    total: float
    low: float
    high: float
    curves: tuple[MethodCurve, ...]
    strongest: tuple[EdgeEffect, ...]

    @property
    def has_effect(self) -> bool:
        """Whether the interval of the total effect excludes 0, without which shares of it vary."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value; unknown numbers are null."""
        found: dict[str, Any] = to_jsonable(self)
        return found


def read_report(store: str | Path) -> Report:
    """Read the circuits of a store.

    Parameters
    ----------
    store : str or Path

    Returns
    -------
    Report

    Raises
    ------
    FeatvizError
        If the store has no circuits, or no tested image is classified correctly.
    """
    opened = Store(store)
    if not {SCORES, CIRCUITS, EDGES, EFFECTS} <= set(opened.kinds):
        raise FeatvizError(f"{store} has no circuits; run `featviz circuit ... -o {store}`")
    rows = [row for row in opened.rows(EFFECTS) if row["right"]]
    if not rows:
        raise FeatvizError("the clean run misclassifies every image that circuits are tested on")
    kept, lost = (np.stack([row[name] for row in rows]).astype(float) for name in ("kept", "lost"))
    total = np.array([row["clean"] - row["corrupted"] for row in rows], float)
    circuits = sorted(opened.rows(CIRCUITS), key=lambda row: int(row["place"]))
    edges = int(opened.configuration[EFFECTS]["edges"])
    # The columns of the circuits of each method; of random ones, of each seed.
    methods: dict[str, dict[str, list[int]]] = {}
    for place, row in enumerate(circuits):
        name, _, seed = row["method"].partition(" ")
        methods.setdefault(name, {}).setdefault(seed, []).append(place)
    counts = np.array([int(row["count"]) for row in circuits])
    curves = []
    for name, seeds in methods.items():
        each = [
            Curve(counts[part], edges, kept[:, part], lost[:, part], total)
            for part in seeds.values()
        ]
        curves.append(_method(name, each))
    effects = intervals(np.stack([row["effect"] for row in rows]).astype(float))
    whole = intervals(total[:, None])
    strongest = []
    for place, row in enumerate(sorted(opened.rows(EDGES), key=lambda row: int(row["place"]))):
        known = place < len(effects.estimate)
        numbers = (effects.estimate, effects.low, effects.high) if known else ()
        strongest.append(
            EdgeEffect(
                row["address"], float(row["score"]), *(float(each[place]) for each in numbers)
            )
        )
    return Report(
        sum(bool(row["right"]) for row in opened.rows(SCORES)),
        len(rows),
        edges,
        float(whole.estimate[0]),
        float(whole.low[0]),
        float(whole.high[0]),
        tuple(curves),
        tuple(strongest),
    )


def _method(name: str, curves: list[Curve]) -> MethodCurve:
    kept, lost = (np.mean([getattr(each, own) for each in curves], 0) for own in ("kept", "lost"))
    curve = replace(curves[0], kept=kept, lost=lost)
    # Areas of the mean would be closer to 1 than those of the circuits.
    cpr, cmd = (float(np.mean([getattr(each, own) for each in curves])) for own in ("cpr", "cmd"))
    found = intervals(curve.kept, curve.total)
    points = tuple(
        Point(*each)
        for each in zip(
            curve.counts.tolist(),
            found.estimate.tolist(),
            found.low.tolist(),
            found.high.tolist(),
            curve.completeness.tolist(),
            strict=True,
        )
    )
    return MethodCurve(name, points, cpr, cmd, curve.size_at())
