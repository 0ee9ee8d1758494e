"""Section of the report: checks, claims and metrics over all units and by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.summary import UnitSummary, summarize_units
from featviz.analysis.evidence.unit_evidence import CHECKS

NAME = "report"


def make_report(model: str, units: Sequence[UnitSummary]) -> dict[str, Any] | None:
    """Return the data of the report: the summary of the units, and which checks to show.

    Parameters
    ----------
    model : str
        Name of the model.
    units : sequence of UnitSummary
        All units with evidence, in the order of the page.

    Returns
    -------
    dict or None
        None if there is no evidence.
    """
    summary = summarize_units(model, units).to_json()
    known = [name for name in (*CHECKS, *CLAIMS) if summary["overall"]["passes"][name]["known"]]
    if not known and not summary["overall"]["numbers"]:
        return None
    return summary | {"passes": known, "units": len(units)}
