from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.claims import CLAIMS, claims, expected_by_rank
from tests.featviz.analysis.evidence.rows import NAN, VALIDATIONS, as_read, failing, passing, silent

DOSES = VALIDATIONS["doses"]


def held(*rows: dict[str, Any]) -> list[set[str]]:
    """The claims that hold for each neuron."""
    found = claims([as_read(row) for row in rows], DOSES)
    return [{name for name in CLAIMS if found[row["address"]][name].holds} for row in rows]


def test_every_claim_holds_if_every_test_passes_and_none_if_every_test_fails() -> None:
    assert held(passing("a")) == [set(CLAIMS)]
    assert held(failing("a")) == [set()]


def test_the_p_value_of_a_claim_is_the_largest_of_its_tests() -> None:
    found = claims([as_read(passing("a", sufficiency_p=[0.001, 0.03]))], DOSES)["a"]
    assert found["necessary"].p == pytest.approx(0.002)
    assert found["sufficient"].p == pytest.approx(0.03)
    later = claims([as_read(passing("a", response_p=0.04))], DOSES)["a"]
    assert later["sufficient"].p == pytest.approx(0.04)
    assert later["pictured"].p == pytest.approx(0.04)


@pytest.mark.parametrize("index", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_necessity_requires_both_ablations_to_exceed_both_kinds_of_control(
    index: tuple[int, int],
) -> None:
    p_values = np.full((2, 2), 0.001)
    p_values[index] = 0.06
    (found,) = held(passing("a", necessity_p=p_values))
    assert found == set(CLAIMS) - {"necessary"}


def test_a_claim_requires_its_confidence_intervals_to_be_above_zero() -> None:
    intervals = np.array([[0, 0.2], [0.5, 0.9], [0.9, 1.5], [1.4, 2.6], [0.1, 0.5]])
    tested_dose, picture = intervals.copy(), intervals.copy()
    tested_dose[2, 0], picture[3, 0] = 0, -0.1
    ablation = passing("a", necessity_interval=[[0.61, 1.07], [0.0, 1.0]])
    assert held(ablation) == [{"sufficient", "pictured"}]
    assert held(passing("a", sufficiency_interval=tested_dose)) == [{"necessary"}]
    assert held(passing("a", sufficiency_interval=picture)) == [{"necessary", "sufficient"}]


def test_the_picture_claim_requires_that_the_neuron_is_sufficient() -> None:
    # More than half of all neurons pass the comparison of pictures alone.
    assert held(failing("a", picture_p=0.0002)) == [set()]
    assert held(passing("a", sufficiency_p=[0.001, 0.06])) == [{"necessary"}]
    alone = passing("a", picture_p=0.06)
    assert held(alone) == [{"necessary", "sufficient"}]


def test_mediation_changes_no_claim() -> None:
    rows = [passing("a", mediation_p=p) for p in (0.025, 1)]
    assert held(rows[0]) == held(rows[1])


def test_silent_neurons_are_not_counted_as_tested() -> None:
    rows = [passing("a", picture_p=0.02), silent("b"), silent("c"), failing("d")]
    found = claims([as_read(row) for row in rows], DOSES)
    assert found["a"]["pictured"].q == pytest.approx(0.04)
    assert {claim.among for of in found.values() for claim in of.values()} == {2}
    assert np.isnan([found["b"][name].q for name in CLAIMS]).all()
    assert held(*rows)[1:] == [set()] * 3


def test_a_q_value_at_the_level_is_significant_despite_rounding_to_float32() -> None:
    rows = [passing("a", picture_p=0.025), failing("b")]
    assert float(np.float32(0.025)) * 2 > 0.05
    assert "pictured" in held(*rows)[0]
    rows[0]["picture_p"] = 0.02501
    assert "pictured" not in held(*rows)[0]


def test_a_weak_claim_does_not_hold_among_more_neurons_that_fail() -> None:
    weak = passing("a", necessity_p=np.full((2, 2), 0.04))
    assert "necessary" in held(weak)[0]
    assert "necessary" not in held(weak, failing("b"))[0]


def test_without_enough_controls_no_claim_holds_whatever_the_effects() -> None:
    unknown = passing("a", necessity_p=np.full((2, 2), NAN), sufficiency_p=[NAN, NAN])
    assert held(unknown) == [set()]
    # A test that was skipped although no other failed has not passed.
    left_out = passing("a", necessity_p=[[0.001, NAN], [0.001, NAN]])
    assert "necessary" not in held(left_out)[0]


def test_without_enough_controls_or_another_picture_a_claim_is_not_tested() -> None:
    # Even if the response test failed, which needs no controls.
    few = passing("a", sufficiency_p=[NAN, NAN], response_p=0.3)
    no_other = failing("b", picture_p=NAN)
    found = claims([as_read(row) for row in (few, no_other, passing("c"))], DOSES)
    for address, name in (("a", "sufficient"), ("a", "pictured"), ("b", "pictured")):
        assert np.isnan(found[address][name].p)
        assert np.isnan(found[address][name].q)
    among = {name: claim.among for name, claim in found["c"].items()}
    assert among == {"necessary": 3, "sufficient": 2, "pictured": 1}


def test_a_claim_is_tested_if_the_second_ablation_was_skipped_after_the_first_failed() -> None:
    settled = passing("a", necessity_p=[[0.3, NAN], [NAN, NAN]])
    found = claims([as_read(settled), as_read(passing("b"))], DOSES)
    assert found["a"]["necessary"].p == pytest.approx(0.3)
    assert not found["a"]["necessary"].holds
    assert found["b"]["necessary"].among == 2


def test_five_percent_of_the_tested_neurons_are_expected_by_rank() -> None:
    assert expected_by_rank(192) == pytest.approx(9.6)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=30))
def test_a_lower_bound_above_the_level_changes_no_claim(pairs: list[tuple[float, float]]) -> None:
    # The comparison with controls stops once p is certain to be above the level.
    full = [
        passing(str(index), sufficiency_p=np.array([max(pair), 0.001], np.float32))
        for index, pair in enumerate(pairs)
    ]
    stopped = [
        passing(
            str(index),
            sufficiency_p=np.array([min(pair) if min(pair) > 0.05 else max(pair), 0.001]),
        )
        for index, pair in enumerate(pairs)
    ]
    assert held(*stopped) == held(*full)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=30))
def test_tests_skipped_after_another_failed_change_no_claim(
    pairs: list[tuple[float, float]],
) -> None:
    # Directions are drawn only for neurons that exceed their control neurons.
    full = [
        passing(str(index), sufficiency_p=np.array(pair, np.float32))
        for index, pair in enumerate(pairs)
    ]
    gated = [
        passing(str(index), sufficiency_p=[first, second if first <= 0.05 else NAN])
        for index, (first, second) in enumerate(pairs)
    ]
    assert held(*gated) == held(*full)
