"""The report of a model's page: how its pictures do, number by number and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.summary import UnitSummary, summarize_units
from featviz.analysis.evidence.unit_evidence import CHECKS

NAME = "report"


def report(model: str, lines: Sequence[UnitSummary]) -> dict[str, Any] | None:
    """Return the data of the report: the `Summary` of its units as JSON, and which checks to show.

    Parameters
    ----------
    lines : sequence of UnitSummary
        Of each unit with evidence, in the order of the page.

    Returns
    -------
    dict or None
        None if nothing is known of any unit.
    """
    told = summarize_units(model, lines).to_json()
    known = [name for name in (*CHECKS, *CLAIMS) if told["overall"]["passes"][name]["known"]]
    if not known and not told["overall"]["numbers"]:
        return None
    return told | {"passes": known, "units": len(lines)}
