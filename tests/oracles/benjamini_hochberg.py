"""q-values by running the Benjamini-Hochberg procedure at every rate, in exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def rejected(p_values: Sequence[Fraction], rate: Fraction) -> set[int]:
    """Indices of the hypotheses that the step-up procedure rejects at a false discovery rate."""
    count = len(p_values)
    order = sorted(range(count), key=lambda index: p_values[index])
    last = 0
    for rank, index in enumerate(order, 1):
        if p_values[index] * count <= rate * rank:
            last = rank
    if last == 0:
        return set()
    threshold = p_values[order[last - 1]]
    return {index for index in range(count) if p_values[index] <= threshold}


def smallest_rates(p_values: Sequence[Fraction]) -> list[Fraction]:
    """Smallest rate at which each hypothesis is rejected, or 1."""
    count = len(p_values)
    rates = sorted({p * count / rank for p in p_values for rank in range(1, count + 1)})
    found = []
    for index in range(count):
        rejecting = (rate for rate in rates if index in rejected(p_values, rate))
        found.append(min(next(rejecting), Fraction(1)))
    return found
