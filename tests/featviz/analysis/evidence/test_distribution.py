from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.distribution import SHOWN, distribution


def test_the_distribution_of_hand_made_values_is_this() -> None:
    names = [f"u{number}" for number in range(101)]
    found = distribution(names, np.arange(101)[::-1], higher_is_better=True)
    assert found is not None
    assert found.quantiles == {str(q): q for q in (0, 5, 25, 50, 75, 95, 100)}
    assert found.edges.tolist() == pytest.approx(list(range(0, 101, 5)))
    # The last bin holds both of its ends.
    assert found.histogram.tolist() == [5] * 19 + [6]
    assert found.best == tuple((f"u{n}", 100 - n) for n in range(5))
    assert found.worst == tuple((f"u{100 - n}", n) for n in range(5))


def test_of_numbers_that_should_be_low_the_best_are_the_lowest_and_ties_keep_their_order() -> None:
    found = distribution(["a", "b", "c"], [2.0, 1.0, 1.0], higher_is_better=False)
    assert found is not None
    assert [name for name, _ in found.best] == ["b", "c", "a"]
    assert [name for name, _ in found.worst] == ["a", "b", "c"]


def test_units_without_a_number_are_left_out_and_without_any_there_is_no_distribution() -> None:
    found = distribution(["a", "b"], [np.nan, 3.0], higher_is_better=True)
    assert found is not None
    assert (found.count, found.best, found.histogram.sum()) == (1, (("b", 3.0),), 1)
    assert distribution(["a"], [np.nan], higher_is_better=True) is None
    assert distribution([], [], higher_is_better=True) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_every_value_is_in_one_bin_and_the_best_are_better_than_the_rest(
    values: list[float],
) -> None:
    found = distribution([str(n) for n in range(len(values))], values, higher_is_better=True)
    assert found is not None
    assert found.histogram.sum() == len(values)
    assert (np.diff(found.edges) > 0).all()
    assert [value for _, value in found.best] == sorted(values)[::-1][:SHOWN]
    assert [value for _, value in found.worst] == sorted(values)[:SHOWN]
