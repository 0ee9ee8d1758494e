"""Benjamini-Hochberg as a procedure: q-values by trying every rate, in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def called(p_values: Sequence[Fraction], rate: Fraction) -> set[int]:
    """Which tests the step-up procedure calls at a false discovery rate."""
    count = len(p_values)
    order = sorted(range(count), key=lambda place: p_values[place])
    last = 0
    for rank, place in enumerate(order, 1):
        if p_values[place] * count <= rate * rank:
            last = rank
    if last == 0:
        return set()
    bar = p_values[order[last - 1]]
    return {place for place in range(count) if p_values[place] <= bar}


def smallest_rates(p_values: Sequence[Fraction]) -> list[Fraction]:
    """The smallest rate at which each test is called, of all rates that can matter, or 1."""
    count = len(p_values)
    rates = sorted({p * count / rank for p in p_values for rank in range(1, count + 1)})
    found = []
    for place in range(count):
        calling = (rate for rate in rates if place in called(p_values, rate))
        found.append(min(next(calling), Fraction(1)))
    return found
