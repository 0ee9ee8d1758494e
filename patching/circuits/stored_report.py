"""The report of the circuits of a store, stored for the gallery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from featviz.store.jobs import ModelIdentity, open_writer
from patching.circuits.report import read_report

CURVES, EDGE_EFFECTS = "circuit_curves", "edge_effects"
"""Kinds of results in a store: curves of faithfulness, and exact effects of edges."""


def store_report(model: ModelIdentity, store: str | Path, configuration: Mapping[str, Any]) -> None:
    """Store curves and effects with their intervals, unless the store has them.

    Parameters
    ----------
    model : ModelIdentity
    store : str or Path
        With the circuits, and their effects on all images of the job.
    configuration : mapping
        Of the job.

    Raises
    ------
    FeatvizError
        If no tested image is classified correctly, or the store is damaged or cannot be written.
    """
    writer = open_writer(model, store, CURVES, configuration)
    effects_writer = open_writer(model, store, EDGE_EFFECTS, configuration)
    if writer.done and effects_writer.done:
        return
    report = read_report(store)
    if not effects_writer.done:
        checked = [edge for edge in report.strongest if edge.effect is not None]
        effects = [(edge.effect, edge.low, edge.high) for edge in checked]
        effects_writer.add(
            {"address": [edge.name for edge in checked], "effect": np.array(effects, np.float32)}
        )
    if writer.done:
        return
    curves = report.curves
    count = len(curves)
    points = [each.points for each in curves]
    writer.add(
        {
            "address": [each.method for each in curves],
            "counts": np.array([[p.count for p in each] for each in points], np.int32),
            "faithfulness": np.array(
                [[(p.faithfulness, p.low, p.high) for p in each] for each in points], np.float32
            ),
            "completeness": np.array(
                [[p.completeness for p in each] for each in points], np.float32
            ),
            "cpr": np.array([each.cpr for each in curves], np.float32),
            "cmd": np.array([each.cmd for each in curves], np.float32),
            "size": np.array([-1 if each.size is None else each.size for each in curves], np.int32),
            "scored": np.full(count, report.scored, np.int32),
            "tested": np.full(count, report.tested, np.int32),
            "total": np.tile(
                np.array([report.total, report.low, report.high], np.float32), (count, 1)
            ),
        }
    )
