"""The headline of a unit: what its top images show, and what was measured, in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from featviz.analysis.evidence.image_classes import most_common_class
from featviz.analysis.evidence.unit_evidence import UnitEvidence

CLAIM_WORDS = ("necessary", "sufficient")
"""Claims that a headline names; see `featviz.analysis.evidence.claims.CLAIMS`."""

CLASS = "class"
"""Facet of the most common class of the top images."""

WRITES = "writes"
"""Facet of the class whose logit the unit raises most."""

FACETS = (CLASS, *CLAIM_WORDS, WRITES)
"""All facets."""

FEWEST = 2  # top images of a class that a headline names, unless there is only one image
_SHARE = 1 / 3  # of the top images that they are at least
_ONE_DECIMAL = 9.95  # ratios below it are given with one decimal


@dataclass(frozen=True)
class Headline:
    """Headline of a unit, and its facets, by which a page filters.

    Attributes
    ----------
    text : str
        Empty if there is nothing to say.
    facets : dict of str to str
        `CLASS` and the most common class of the top images; each of `CLAIM_WORDS` that holds and
        the class that it is about; `WRITES` and the class whose logit the unit raises most.
    """

    text: str = ""
    facets: dict[str, str] = field(default_factory=dict)


def headline(evidence: UnitEvidence, top_classes: Sequence[str | None]) -> Headline:
    """Summarize the evidence on a unit.

    Parameters
    ----------
    evidence : UnitEvidence
    top_classes : sequence of (str or None)
        Class of each natural image with the highest activation, the highest first; empty if the
        page does not show them.

    Returns
    -------
    Headline
        "dots, 9 of 9 top images, 1.8 times the best image, sufficient for blue", with signs and
        middle dots.
    """
    common = _common_class(top_classes)
    tests = evidence.causal_tests
    held = [name for name in CLAIM_WORDS if (claim := evidence.claims.get(name)) and claim.holds]
    parts = []
    if common is not None:
        name, count = common
        parts += [name, f"{count} of {len(top_classes)} top images"]
    if not math.isnan(evidence.picture.ratio):
        parts.append(f"{_ratio(evidence.picture.ratio)}\u00d7 best image")
    if tests is not None and tests.silent:
        parts.append("constant")
    elif tests is not None and held and tests.label is not None:
        parts.append(f"{' and '.join(held)} for {tests.label}")
    elif tests is not None:
        parts.append("no causal effect shown")
    facets = {} if common is None else {CLASS: common[0]}
    if tests is not None and tests.label is not None:
        facets |= dict.fromkeys(held, tests.label)
    if evidence.logits:
        facets[WRITES] = max(evidence.logits, key=evidence.logits.__getitem__)
    return Headline(" \u00b7 ".join(parts), facets)


def _common_class(classes: Sequence[str | None]) -> tuple[str, int] | None:
    """Return the most common class and its count, unless it is rare.

    Of several, it is that of the highest activation.
    """
    common = most_common_class(classes)
    fewest = max(min(FEWEST, len(classes)), _SHARE * len(classes))
    return common if common is not None and common[1] >= fewest else None


def _ratio(value: float) -> str:
    """Return a ratio with one decimal, or none from 10."""
    text = f"{value:.1f}" if abs(value) < _ONE_DECIMAL else f"{value:.0f}"
    return text.replace("-", "\u2212")
