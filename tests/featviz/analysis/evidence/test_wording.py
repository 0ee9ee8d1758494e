from __future__ import annotations

from typing import Any

import pytest

from featviz.analysis.evidence.causal_tests import CausalTests
from featviz.analysis.evidence.claims import claims
from featviz.analysis.evidence.wording import sentences
from tests.featviz.analysis.evidence.rows import NAN, VALIDATIONS, as_read, failing, passing, silent

NEURONS = "neurons of the same layer and activation level"
DIRECTIONS = "random directions of equal norm"
DATA = "cueworld (720 images)"


def words(row: dict[str, Any], *others: dict[str, Any]) -> list[str]:
    """The sentences about the first neuron of a store."""
    return sentences(read(row, *others))


def read(row: dict[str, Any], *others: dict[str, Any]) -> CausalTests:
    rows = [as_read(each) for each in (row, *others)]
    of_neuron = claims(rows, VALIDATIONS["doses"])[row["address"]]
    return CausalTests.from_row(rows[0], VALIDATIONS, of_neuron)


PASSING = (
    # Sentence, and what it must state: intervention, effect, interval, images, controls and p.
    (0, "Mean ablation lowers the margin of 'stripes' by 0.84 (95 % CI 0.61 to 1.07)"),
    (0, f"on 20 held-out images of {DATA}; controls: 38 of 39 {NEURONS} lower the margin of their"),
    (0, "own class by at most 0.21 (p = 0.001); "),
    (0, f"19 of 19 {DIRECTIONS} lower the margin of their own class by at most 0.05 (p = 0.001)."),
    (1, "Resample ablation (activation of an image of another class) lowers the margin"),
    (1, "by 0.75 (95 % CI 0.50 to 1.00) on these images; controls: 38 of 39 neurons"),
    (1, f"(p = 0.002); 19 of 19 {DIRECTIONS} do not lower the margin of their own class (p = 0.0"),
    (2, f"Necessary for 'stripes' on {DATA}: among the strongest 5 % of the comparison set"),
    (2, f"({NEURONS}; {DIRECTIONS}), significant under resampling of the images"),
    (2, "(q = 0.004, 2 neurons tested)."),
    (3, "the activation of the image at the 99th percentile into 36 neutral images raises the"),
    (3, "by 1.20 (95 % CI 0.90 to 1.50; 50th: +0.10, 90th: +0.70; p = 0.001 for a larger effect"),
    (3, "flips the prediction to it on 25 % of them; controls: 38 of 39 neurons"),
    (3, f"19 of 19 {DIRECTIONS} raise the margin of their own class by at most 0.10 (p = 0.001)."),
    (4, f"Sufficient for 'stripes' on {DATA}: among the strongest 5 % of the comparison set"),
    (4, "(q = 0.002, 2 neurons tested)."),
    (5, "the neuron's own picture into neutral images raises this margin by 2.00 (95 % CI 1.40 to"),
    (5, "the picture of another neuron of the layer: +0.30 (p = 0.001 for a smaller effect)."),
    (6, "on the neuron's own picture, 34 % is lost with the neuron frozen at its mean; "),
    (6, "with a control neuron of the same layer and activation level frozen, the median is 2 %"),
    (6, "the neuron is among the highest 2.5 %."),
    (7, "Rank correlation of the effects on 3 classes: 1.00 (ablation and dose), 0.50 (ablation"),
    (7, "0.50 (dose and direct effect)."),
)


def test_sentences_state_each_effect_its_controls_and_the_claims_that_hold() -> None:
    found = words(passing("a"), failing("b"))
    assert len(found) == 8
    for index, part in PASSING:
        assert part in found[index]


def test_a_neuron_that_fails_is_not_shown_to_be_necessary_or_sufficient() -> None:
    found = words(failing("b"))
    # A margin that increases is not said to decrease by a negative number.
    assert "raises the margin of 'stripes' by 0.10 (95 % CI -0.10 to 0.30) on 20 held-" in found[0]
    assert "random directions" not in "".join(found)
    assert found[2].startswith(f"Not shown to be necessary for 'stripes' on {DATA}, the class that")
    assert found[2].endswith(f"comparison set: {NEURONS} (q ≥ 0.8, 1 neuron tested).")
    assert found[4].startswith(f"Not shown to be sufficient for 'stripes' on {DATA}")
    assert "-8 % is lost with" in found[6]


def test_small_effects_keep_two_significant_digits() -> None:
    intervals = [[-0.000694, 0.0045], [-0.1, 0.2]]
    found = words(failing("b", necessity=[0.001879, 0.05], necessity_interval=intervals))
    assert "by 0.0019 (95 % CI -0.00069 to 0.0045)" in found[0]


def test_no_share_is_minus_zero_percent() -> None:
    assert "the median is 0 %, and" in words(passing("a", mediation_control=-0.001))[6]


def test_a_silent_neuron_has_one_sentence_and_no_results() -> None:
    (found,) = words(silent("c"))
    assert found == f"The neuron does not vary over {DATA}; no causal test was run."
    tests = read(silent("c"))
    assert (tests.label, tests.removals, tests.doses, tests.profile) == (None, {}, {}, {})


def test_a_significant_claim_that_fails_by_its_interval_states_so() -> None:
    found = words(passing("a", necessity_interval=[[0.61, 1.07], [-0.01, 1.0]]))
    assert found[2].startswith("Not shown to be necessary")
    assert "q = 0.002, 1 neuron tested; a confidence interval includes 0" in found[2]


def test_what_could_not_be_tested_is_stated() -> None:
    no_controls = words(passing("a", necessity_p=[[NAN, NAN]] * 2, controls=[3, 0]))
    assert no_controls[0].endswith(f"on 20 held-out images of {DATA}.")
    assert no_controls[2].startswith("Too few controls to test whether the neuron is necessary")
    few = words(
        passing("a", neutral=4, sufficiency=[NAN] * 5, mediation=NAN, agreement=[NAN, 0.5, NAN])
    )
    assert few[3] == "Sufficiency was not tested: there are only 4 neutral images."
    assert few[4].endswith("on 3 classes: 0.50 (ablation and direct effect).")
    assert len(few) == 5
    no_other = words(passing("a", sufficiency=[0.1, 0.7, 1.2, 2, NAN], mediation_control=NAN))
    assert no_other[5].endswith("; there is no picture of another neuron as a baseline.")
    assert no_other[6].endswith("34 % is lost with the neuron frozen at its mean.")


def test_with_too_few_controls_sufficiency_is_not_tested_even_if_the_response_failed() -> None:
    few = words(passing("a", sufficiency_p=[NAN, NAN], controls=[3, 0], response_p=0.3))
    assert few[4].startswith("Too few controls to test whether the neuron is sufficient for")


def test_an_ablation_without_controls_is_reported_by_its_effect_alone() -> None:
    # The other ablation had failed.
    level, p = [[0.21, NAN], [NAN, NAN]], [[0.3, NAN], [NAN, NAN]]
    found = words(passing("a", necessity_level=level, necessity_p=p))
    assert found[1].endswith("by 0.75 (95 % CI 0.50 to 1.00) on these images.")
    assert found[2].endswith(f"comparison set: {NEURONS} (q ≥ 0.3, 1 neuron tested).")


def test_if_the_comparison_stopped_early_the_level_is_what_some_controls_reach() -> None:
    found = words(failing("b", necessity_level=[[0.21, NAN], [-0.25, NAN]]))
    reached = f"; controls: at least 2 of 39 {NEURONS} lower the margin of their own class by 0.21 "
    assert found[0].endswith(f"{reached}or more (p ≥ 0.8).")
    exceeded = f"not shown to be above 0 and above that of 38 of 39 {NEURONS} (p ≥ 0.6)."
    assert found[1].endswith(exceeded)


@pytest.mark.parametrize("row", [passing("a"), failing("a"), silent("a")], ids=str)
def test_no_sentence_states_what_a_neuron_detects_or_means(row: dict[str, Any]) -> None:
    found = " ".join(words(row)).lower()
    forbidden = ("detect", "mean that", "represent", "encode", "looks for", "look for")
    assert not any(word in found for word in forbidden)


@pytest.mark.parametrize(("count", "within"), [(39, 38), (19, 19), (38, 38), (64, 62), (59, 57)])
def test_the_level_bounds_as_many_controls_as_a_rank_test_at_five_percent_needs(
    count: int, within: int
) -> None:
    # Of count + 1 exchangeable effects, at most one in twenty is above the level.
    assert (count + 1 - within) * 20 <= count + 1
    assert (count + 2 - within) * 20 > count + 1
    assert read(passing("a", controls=[count, 0])).controls["neurons"].within == within


def test_results_are_read_by_the_names_in_the_configuration() -> None:
    found = read(passing("a"))
    assert list(found.removals) == ["mean", "resample"]
    assert found.removals["resample"].controls["directions"].level == pytest.approx(-0.01)
    assert found.weaker_ablation == found.removals["resample"].effect
    assert found.doses["picture"].activation == 2.5
    assert found.doses["picture"].effect.high == pytest.approx(2.6)
    assert found.profile["induced"] == pytest.approx({"red": -0.5, "green": -0.6, "stripes": 1.2})
    assert found.agreement["ablation and direct effect"] == 0.5


def test_latents_are_named_as_such() -> None:
    row, other = passing("sae.x:1"), failing("sae.x:2")
    found = " ".join(words(row, other))
    assert "neuron" not in found
    assert "38 of 39 latents of the same layer and activation level lower the margin" in found
    assert "(q = 0.004, 2 latents tested)" in found
    assert "the picture of another latent of the layer" in found


def test_a_dead_latent_is_reported_with_the_reason() -> None:
    (sentence,) = words(silent("sae.x:1"))
    assert sentence == (
        f"The latent is dead: it is not active on the reference images of {DATA}, or its "
        "activation does not vary; no causal test was run."
    )
