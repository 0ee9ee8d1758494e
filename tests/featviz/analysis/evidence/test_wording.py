from __future__ import annotations

from typing import Any

import pytest

from featviz.analysis.evidence.causal import Verdict, verdict
from featviz.analysis.evidence.claims import claims
from featviz.analysis.evidence.wording import sentences
from tests.featviz.analysis.evidence.rows import NAN, VALIDATIONS, as_read, failing, passing, silent


def words(row: dict[str, Any], *beside: dict[str, Any]) -> list[str]:
    return sentences(read(row, *beside))


def read(row: dict[str, Any], *beside: dict[str, Any]) -> Verdict:
    rows = [as_read(one) for one in (row, *beside)]
    return verdict(rows[0], VALIDATIONS, claims(rows, VALIDATIONS["doses"])[row["address"]])


def test_a_neuron_that_passes_is_told_of_by_what_was_measured_against_what() -> None:
    assert words(passing("a"), failing("b")) == [
        "Keeping it at its mean activation lowers the margin of 'stripes' by 0.84 [0.61, 1.07] on "
        "20 held-out images of cueworld (720 images); 38 of 39 neurons of its layer and level "
        "lower theirs by at most 0.21 (p = 0.001); 19 of 19 random directions of equal norm lower "
        "theirs by at most 0.05 (p = 0.001).",
        "Giving it its activation on an image of another class lowers the margin of 'stripes' by "
        "0.75 [0.50, 1.00] on these images; 38 of 39 neurons of its layer and level lower theirs "
        "by at most 0.25 (p = 0.002); 19 of 19 random directions of equal norm do not lower theirs "
        "(p = 0.001).",
        "Necessary for 'stripes' on cueworld (720 images): among the strongest 5 % beside neurons "
        "of its layer and level and random directions of equal norm, whichever images are drawn "
        "(q = 0.004 among 2 neurons).",
        "Put into 36 neutral images, its activation on the image at the 99th percentile raises the "
        "margin of 'stripes' by 1.20 [0.90, 1.50] (50th: +0.10, 90th: +0.70; p = 0.001 for more "
        "than at the 50th) and makes it the largest logit of 25 % of them; 38 of 39 neurons of its "
        "layer and level raise theirs by at most 0.40 (p = 0.001); 19 of 19 random directions of "
        "equal norm raise theirs by at most 0.10 (p = 0.001).",
        "Sufficient for 'stripes' on cueworld (720 images): among the strongest 5 % beside neurons "
        "of its layer and level and random directions of equal norm, whichever images are drawn "
        "(q = 0.002 among 2 neurons).",
        "Its activation on its own picture raises that margin by 2.00 [1.40, 2.60] in neutral "
        "images; that on the picture of another neuron of its layer changes it by +0.30 "
        "(p = 0.001 for less).",
        "Of the margin that its picture gives 'stripes', 34 % is gone with it kept at its mean; "
        "with another one of its layer and level kept there, the median is 2 %, and its own share "
        "is among the highest 2.5 %.",
        "Ranks of the 3 classes by effect agree to 1.00 (ablation and dose), 0.50 (ablation and "
        "direct effect), 0.50 (dose and direct effect).",
    ]


def test_a_neuron_that_fails_is_told_of_as_not_shown_to_be_anything() -> None:
    told = words(failing("b"))
    # A margin that rises is not said to fall by less than nothing.
    assert "raises the margin of 'stripes' by 0.10 [-0.10, 0.30] on 20 held-out" in told[0]
    assert "random directions" not in "".join(told)
    assert told[2] == (
        "Not shown to be necessary for 'stripes' on cueworld (720 images), the class that it "
        "supports most, beside neurons of its layer and level (q at least 0.8 among 1 neuron)."
    )
    assert told[4].startswith("Not shown to be sufficient for 'stripes' on cueworld (720 images)")
    assert "-8 % is gone with it" in told[6]


def test_small_effects_keep_two_digits_that_count() -> None:
    intervals = [[-0.000694, 0.0045], [-0.1, 0.2]]
    told = words(failing("b", necessity=[0.001879, 0.05], necessity_interval=intervals))
    assert "by 0.0019 [-0.00069, 0.0045] on" in told[0]


def test_no_share_is_minus_zero_percent() -> None:
    told = words(passing("a", mediation_control=-0.001))
    assert "the median is 0 %, and" in told[6]


def test_of_a_silent_neuron_it_is_said_that_nothing_was_tested() -> None:
    assert words(silent("c")) == [
        "It does not vary over cueworld (720 images): nothing was tested."
    ]
    found = read(silent("c"))
    assert (found.label, found.removals, found.doses, found.profile) == (None, {}, {}, {})


def test_a_claim_that_only_an_interval_undoes_says_so() -> None:
    told = words(passing("a", necessity_interval=[[0.61, 1.07], [-0.01, 1.0]]))
    assert told[2].endswith("(q = 0.002 among 1 neuron), since an interval reaches 0.")


def test_what_could_not_be_tested_is_told_as_such() -> None:
    alone = words(passing("a", necessity_p=[[NAN, NAN]] * 2, controls=[3, 0]))
    assert alone[0].endswith("on 20 held-out images of cueworld (720 images).")
    assert alone[2].startswith("There are too few controls to tell whether it is necessary for")
    few = words(
        passing("a", neutral=4, sufficiency=[NAN] * 5, mediation=NAN, agreement=[NAN, 0.5, NAN])
    )
    assert few[3:] == [
        "With 4 neutral images, whether it is sufficient was not tested.",
        "Ranks of the 3 classes by effect agree to 0.50 (ablation and direct effect).",
    ]
    lonely = words(passing("a", sufficiency=[0.1, 0.7, 1.2, 2, NAN], mediation_control=NAN))
    assert lonely[5].endswith("; there is no other picture to compare with.")
    assert lonely[6].endswith("34 % is gone with it kept at its mean.")


def test_with_too_few_controls_nothing_is_said_to_be_tested_though_the_response_failed() -> None:
    few = words(passing("a", sufficiency_p=[NAN, NAN], controls=[3, 0], response_p=0.3))
    assert few[4] == (
        "There are too few controls to tell whether it is sufficient for 'stripes' on cueworld "
        "(720 images)."
    )


def test_of_an_ablation_that_the_other_one_settled_only_the_effect_is_told() -> None:
    level, p = [[0.21, NAN], [NAN, NAN]], [[0.3, NAN], [NAN, NAN]]
    told = words(passing("a", necessity_level=level, necessity_p=p))
    assert told[1].endswith("by 0.75 [0.50, 1.00] on these images.")
    assert told[2].endswith(
        "beside neurons of its layer and level (q at least 0.3 among 1 neuron)."
    )


def test_where_comparing_stopped_the_level_is_told_as_what_some_controls_reach() -> None:
    told = words(failing("b", necessity_level=[[0.21, NAN], [-0.25, NAN]]))
    reached = "; at least 2 of 39 neurons of its layer and level lower theirs by 0.21 or more "
    assert told[0].endswith(reached + "(p at least 0.8).")
    assert told[1].endswith(
        "; that it is above 0 and above 38 of 39 neurons of its layer and level is not shown "
        "(p at least 0.6)."
    )


@pytest.mark.parametrize("row", [passing("a"), failing("a"), silent("a")], ids=str)
def test_no_sentence_says_what_a_neuron_detects_or_means(row: dict[str, Any]) -> None:
    told = " ".join(words(row)).lower()
    assert not any(
        word in told for word in ("detect", "mean that", "represent", "encode", "looks for")
    )


@pytest.mark.parametrize(("count", "within"), [(39, 38), (19, 19), (38, 38), (64, 62), (59, 57)])
def test_the_controls_within_their_level_are_as_many_as_a_rank_test_needs(
    count: int, within: int
) -> None:
    # Of count + 1 alike, those above the level are at most one in twenty.
    assert (count + 1 - within) * 20 <= count + 1
    assert (count + 2 - within) * 20 > count + 1
    assert read(passing("a", controls=[count, 0])).controls["neurons"].within == within


def test_columns_are_read_under_the_names_of_the_configuration() -> None:
    found = read(passing("a"))
    assert list(found.removals) == ["mean", "resample"]
    assert found.removals["resample"].controls["directions"].level == pytest.approx(-0.01)
    assert found.doses["picture"].activation == 2.5
    assert found.doses["picture"].effect.high == pytest.approx(2.6)
    assert found.profile["induced"] == pytest.approx({"red": -0.5, "green": -0.6, "stripes": 1.2})
    assert found.agreement["ablation and direct effect"] == 0.5
