"""The report of a model's page: how its pictures do, number by number and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.summary import Line, summary_of
from featviz.analysis.evidence.unit import CHECKS

NAME = "report"


def report(model: str, lines: Sequence[Line]) -> dict[str, Any] | None:
    """Return the data of the report: `featviz.evidence.Summary` as JSON, and how to read it.

    Parameters
    ----------
    lines : sequence of Line
        Of each unit with evidence, in the order of the page.

    Returns
    -------
    dict or None
        None if nothing is known of any unit.
    """
    told = summary_of(model, lines).to_json()
    known = [name for name in (*CHECKS, *CLAIMS) if told["overall"]["passes"][name]["known"]]
    if not known and not told["overall"]["numbers"]:
        return None
    return told | {"passes": known, "units": len(lines)}
