"""Weighted sums and differences of units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from featviz._util.arguments import described, real_number, sequence
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError

MIN_WEIGHT, MAX_WEIGHT = 1e-30, 1e30
"""Range of absolute weights; beyond it, float32 values underflow or overflow."""
_TERM = re.compile(r"(?:(?P<weight>-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)~)?(?P<unit>[^~]+)")


@dataclass(frozen=True)
class Combination(Unit):
    """A weighted sum of units; `str` returns its address, such as ``head:5+-0.5~head:3``.

    Made by `combine`.

    Attributes
    ----------
    site : str
        The sites of all terms, joined by plus signs.
    index, token
        Unused: 0 and None.
    terms : tuple of (float, Unit)
        Weight and unit of each term, at least one; of any sites.
    """

    terms: tuple[tuple[float, Unit], ...] = ()

    def __str__(self) -> str:
        return "+".join(
            str(unit) if weight == 1 else f"{_format(weight)}~{unit}" for weight, unit in self.terms
        )


def combine(
    units: str | Unit | Iterable[str | Unit], weights: Iterable[float] | None = None
) -> Unit:
    """Combine units into one whose value is the weighted sum of theirs.

    Parameters
    ----------
    units : Unit, str, or iterable of these
        Units of any sites of one model; a text is the address of a single unit, or of a sum.
    weights : iterable of float, optional
        One weight for each unit; 1 if not given. A negative weight makes a difference.

    Returns
    -------
    Combination, or the unit itself where it is a single one of weight 1
        Different units therefore have different addresses.

    Raises
    ------
    FeatvizError
        If there is no unit, something else is given, the numbers of units and weights differ, or a
        weight is not finite or zero in float32.
    """
    given = [units] if isinstance(units, str | Unit) else sequence("units", units, "units")
    parsed = [_as_unit(each) for each in given]
    chosen = [1.0] * len(parsed)
    if weights is not None:
        several = sequence("weights", weights, "a list of numbers, one for each unit")
        chosen = [real_number("a weight", weight) for weight in several]
    if not parsed:
        raise FeatvizError("a combination needs at least one unit")
    if len(chosen) != len(parsed):
        raise FeatvizError(f"{len(parsed)} units need {len(parsed)} weights, not {len(chosen)}")
    parts = tuple(
        (weight * inner, part)
        for weight, unit in zip(chosen, parsed, strict=True)
        for inner, part in terms(unit)
    )
    if not all(MIN_WEIGHT <= abs(weight) <= MAX_WEIGHT for weight, _ in parts):
        raise FeatvizError(
            f"weights must be finite and nonzero, of size {MIN_WEIGHT:g} to {MAX_WEIGHT:g}, "
            f"not {[weight for weight, _ in parts]}"
        )
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return Combination("+".join(dict.fromkeys(part.site for _, part in parts)), 0, None, parts)


def _as_unit(given: object) -> Unit:
    if isinstance(given, str):
        if not is_combination(given):
            return Unit.parse(given)
        weights, addresses = zip(*split_terms(given), strict=True)
        return combine(addresses, weights)
    if not isinstance(given, Unit):
        raise FeatvizError(f"a unit is an address or a Unit, got {described(given)}")
    return given


def terms(unit: Unit) -> tuple[tuple[float, Unit], ...]:
    """Return the weights and units that `unit` is the sum of; a single unit is its only term."""
    return unit.terms if isinstance(unit, Combination) else ((1.0, unit),)


def is_combination(text: str) -> bool:
    """Return whether the address or selector `text` is that of a combination."""
    return "+" in text or "~" in text


def split_terms(text: str) -> list[tuple[float, str]]:
    """Split the address of a combination into its terms.

    Parameters
    ----------
    text : str
        ``UNIT+WEIGHT~UNIT``; a term without a weight has weight 1.

    Returns
    -------
    list of (float, str)
        Weight and address of each term.

    Raises
    ------
    FeatvizError
        If the text has another form.
    """
    found = [_TERM.fullmatch(term) for term in text.split("+")]
    parts = [(float(match["weight"] or 1), match["unit"]) for match in found if match]
    if len(parts) < len(found):
        raise FeatvizError(
            f"{text!r} is not a sum of units; write UNIT+UNIT, or UNIT+-0.5~UNIT with a weight"
        )
    return parts


def _format(weight: float) -> str:
    """Write a weight exactly, and without the plus sign of an exponent."""
    return repr(int(weight) if weight.is_integer() and abs(weight) < 1e15 else weight).replace(
        "e+", "e"
    )
