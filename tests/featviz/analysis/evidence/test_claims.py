from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.claims import CLAIMS, claims, expected_by_rank
from tests.featviz.analysis.evidence.rows import NAN, VALIDATIONS, as_read, failing, passing, silent

DOSES = VALIDATIONS["doses"]


def made(*rows: dict[str, Any]) -> list[set[str]]:
    """Which claims are made of each neuron."""
    found = claims([as_read(row) for row in rows], DOSES)
    return [{name for name in CLAIMS if found[row["address"]][name].holds} for row in rows]


def test_of_a_neuron_that_passes_every_test_every_claim_is_made_and_of_one_that_fails_none() -> (
    None
):
    assert made(passing("a")) == [set(CLAIMS)]
    assert made(failing("a")) == [set()]


def test_a_claim_takes_the_largest_of_its_p_values() -> None:
    found = claims([as_read(passing("a", sufficiency_p=[0.001, 0.03]))], DOSES)["a"]
    assert found["necessary"].p == pytest.approx(0.002)
    assert found["sufficient"].p == pytest.approx(0.03)
    later = claims([as_read(passing("a", response_p=0.04))], DOSES)["a"]
    assert later["sufficient"].p == pytest.approx(0.04)
    assert later["pictured"].p == pytest.approx(0.04)


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_one_ablation_that_fails_against_one_control_undoes_necessity(
    place: tuple[int, int],
) -> None:
    p_values = np.full((2, 2), 0.001)
    p_values[place] = 0.06
    (found,) = made(passing("a", necessity_p=p_values))
    assert found == set(CLAIMS) - {"necessary"}


def test_an_interval_that_reaches_zero_undoes_the_claim_it_is_of() -> None:
    intervals = np.array([[0, 0.2], [0.5, 0.9], [0.9, 1.5], [1.4, 2.6], [0.1, 0.5]])
    tested_dose, picture = intervals.copy(), intervals.copy()
    tested_dose[2, 0], picture[3, 0] = 0, -0.1
    ablation = passing("a", necessity_interval=[[0.61, 1.07], [0.0, 1.0]])
    assert made(ablation) == [{"sufficient", "pictured"}]
    assert made(passing("a", sufficiency_interval=tested_dose)) == [{"necessary"}]
    assert made(passing("a", sufficiency_interval=picture)) == [{"necessary", "sufficient"}]


def test_a_picture_that_does_more_than_another_is_nothing_where_the_neuron_is_not_sufficient() -> (
    None
):
    # More than half of all neurons pass the comparison of pictures alone.
    assert made(failing("a", picture_p=0.0002)) == [set()]
    assert made(passing("a", sufficiency_p=[0.001, 0.06])) == [{"necessary"}]
    alone = passing("a", picture_p=0.06)
    assert made(alone) == [{"necessary", "sufficient"}]


def test_mediation_makes_no_claim() -> None:
    rows = [passing("a", mediation_p=p) for p in (0.025, 1)]
    assert made(rows[0]) == made(rows[1])


def test_silent_neurons_do_not_count_among_the_tested() -> None:
    rows = [passing("a", picture_p=0.02), silent("b"), silent("c"), failing("d")]
    found = claims([as_read(row) for row in rows], DOSES)
    assert found["a"]["pictured"].q == pytest.approx(0.04)
    assert {claim.among for of in found.values() for claim in of.values()} == {2}
    assert np.isnan([found["b"][name].q for name in CLAIMS]).all()
    assert made(*rows)[1:] == [set()] * 3


def test_a_q_value_at_the_level_is_called_in_spite_of_rounding_to_float32() -> None:
    rows = [passing("a", picture_p=0.025), failing("b")]
    assert float(np.float32(0.025)) * 2 > 0.05
    assert "pictured" in made(*rows)[0]
    rows[0]["picture_p"] = 0.02501
    assert "pictured" not in made(*rows)[0]


def test_many_neurons_that_fail_take_a_weak_claim_back() -> None:
    weak = passing("a", necessity_p=np.full((2, 2), 0.04))
    assert "necessary" in made(weak)[0]
    assert "necessary" not in made(weak, failing("b"))[0]


def test_without_enough_controls_nothing_is_claimed_whatever_the_effects() -> None:
    unknown = passing("a", necessity_p=np.full((2, 2), NAN), sufficiency_p=[NAN, NAN])
    assert made(unknown) == [set()]
    # A test that was left out though none failed was not passed.
    left_out = passing("a", necessity_p=[[0.001, NAN], [0.001, NAN]])
    assert "necessary" not in made(left_out)[0]


def test_without_enough_controls_or_another_picture_a_claim_counts_as_not_tested() -> None:
    # Though the response failed, which needs no controls.
    few = passing("a", sufficiency_p=[NAN, NAN], response_p=0.3)
    lonely = failing("b", picture_p=NAN)
    found = claims([as_read(row) for row in (few, lonely, passing("c"))], DOSES)
    for address, name in (("a", "sufficient"), ("a", "pictured"), ("b", "pictured")):
        assert np.isnan(found[address][name].p)
        assert np.isnan(found[address][name].q)
    among = {name: claim.among for name, claim in found["c"].items()}
    assert among == {"necessary": 3, "sufficient": 2, "pictured": 1}


def test_an_ablation_that_the_other_one_settled_leaves_the_claim_tested_and_failed() -> None:
    settled = passing("a", necessity_p=[[0.3, NAN], [NAN, NAN]])
    found = claims([as_read(settled), as_read(passing("b"))], DOSES)
    assert found["a"]["necessary"].p == pytest.approx(0.3)
    assert not found["a"]["necessary"].holds
    assert found["b"]["necessary"].among == 2


def test_one_in_twenty_of_those_tested_is_expected_by_rank() -> None:
    assert expected_by_rank(192) == pytest.approx(9.6)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=30))
def test_a_lower_bound_above_the_level_changes_no_claim(pairs: list[tuple[float, float]]) -> None:
    # Comparing with controls stops once p is sure to be above the level.
    full = [
        passing(str(place), sufficiency_p=np.array([max(pair), 0.001], np.float32))
        for place, pair in enumerate(pairs)
    ]
    stopped = [
        passing(
            str(place),
            sufficiency_p=np.array([min(pair) if min(pair) > 0.05 else max(pair), 0.001]),
        )
        for place, pair in enumerate(pairs)
    ]
    assert made(*stopped) == made(*full)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=30))
def test_tests_left_out_where_another_failed_change_no_claim(
    pairs: list[tuple[float, float]],
) -> None:
    # Directions are drawn only for neurons that exceed other neurons.
    full = [
        passing(str(place), sufficiency_p=np.array(pair, np.float32))
        for place, pair in enumerate(pairs)
    ]
    gated = [
        passing(str(place), sufficiency_p=[first, second if first <= 0.05 else NAN])
        for place, (first, second) in enumerate(pairs)
    ]
    assert made(*gated) == made(*full)
