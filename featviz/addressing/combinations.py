"""Weighted sums and differences of units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from featviz.addressing.address import Unit
from featviz.errors import FeatvizError

LEAST, MOST = 1e-30, 1e30
"""Sizes of weights; beyond them float32 has no room for values."""
_TERM = re.compile(r"(?:(?P<weight>-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)~)?(?P<unit>[^~]+)")


@dataclass(frozen=True)
class Combination(Unit):
    """A weighted sum of units; `str` gives its address, such as ``head:5+-0.5~head:3``.

    Made by `combine`.

    Attributes
    ----------
    site : str
        The sites of all terms, joined by plus signs.
    index, token
        0 and None: they say nothing.
    terms : tuple of (float, Unit)
        At least one; of any sites.
    """

    terms: tuple[tuple[float, Unit], ...] = ()

    def __str__(self) -> str:
        return "+".join(
            str(unit) if weight == 1 else f"{_text(weight)}~{unit}" for weight, unit in self.terms
        )


def combine(units: Sequence[Unit], weights: Sequence[float] | None = None) -> Unit:
    """Make one unit of several: the sum of their values, weighted.

    Parameters
    ----------
    units : sequence of Unit
        Of any sites of one model.
    weights : sequence of float, optional
        As many; all one if not given. A negative weight makes a difference.

    Returns
    -------
    Combination, or the unit itself where it is a single one of weight 1
        So no two units have one address.

    Raises
    ------
    FeatvizError
        If there is no unit, or the weights are not as many, or one is not finite or zero in
        float32.
    """
    chosen = [1.0] * len(units) if weights is None else [float(weight) for weight in weights]
    if not units:
        raise FeatvizError("a combination needs at least one unit")
    if len(chosen) != len(units):
        raise FeatvizError(f"{len(units)} units need as many weights, not {len(chosen)}")
    parts = tuple(
        (weight * inner, part)
        for weight, unit in zip(chosen, units, strict=True)
        for inner, part in terms(unit)
    )
    if not all(LEAST <= abs(weight) <= MOST for weight, _ in parts):
        numbers = [weight for weight, _ in parts]
        raise FeatvizError(
            f"weights must be finite numbers and not zero, of size {LEAST:g} to {MOST:g}, "
            f"not {numbers}"
        )
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return Combination("+".join(dict.fromkeys(part.site for _, part in parts)), 0, None, parts)


def terms(unit: Unit) -> tuple[tuple[float, Unit], ...]:
    """List what a unit is the weighted sum of; a single unit is its own only term."""
    return unit.terms if isinstance(unit, Combination) else ((1.0, unit),)


def is_combination(text: str) -> bool:
    """Tell whether an address or selector is one of a combination."""
    return "+" in text or "~" in text


def split_terms(text: str) -> list[tuple[float, str]]:
    """Read ``UNIT+WEIGHT~UNIT`` into weights and addresses.

    Raises
    ------
    FeatvizError
        If the text has another form.
    """
    found = [_TERM.fullmatch(term) for term in text.split("+")]
    parts = [(float(match["weight"] or 1), match["unit"]) for match in found if match]
    if len(parts) < len(found):
        raise FeatvizError(
            f"{text!r} is no sum of units; write UNIT+UNIT, or UNIT+-0.5~UNIT with a weight"
        )
    return parts


def _text(weight: float) -> str:
    """Write a weight exactly, without the plus that an exponent may have."""
    return repr(int(weight) if weight.is_integer() and abs(weight) < 1e15 else weight).replace(
        "e+", "e"
    )
