from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

import gallery
from featviz.analysis.evidence.headline import Headline, headline
from featviz.analysis.evidence.unit_evidence import UnitEvidence, read_evidence
from tests.gallery.evidence import LOGIT, UNITS, write_evidence
from tests.gallery.made_stores import write_store
from tests.gallery.test_exporter import data, units


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_evidence(tmp_path_factory.mktemp("headline") / "s").path


@pytest.fixture(scope="module")
def evidence(store: Path) -> list[UnitEvidence]:
    return [read_evidence(store, unit) for unit in UNITS]


def with_ratio(evidence: UnitEvidence, ratio: float) -> UnitEvidence:
    picture = replace(evidence.picture, ratio=ratio)
    return replace(evidence, pictures=(picture,), best=0)


def test_a_headline_has_class_ratio_and_claims(evidence: list[UnitEvidence]) -> None:
    found = headline(with_ratio(evidence[0], 1.793), ["dots"] * 8 + ["blue"])
    assert found.text == (
        "dots \u00b7 8 of 9 top images \u00b7 1.8\u00d7 best image"
        " \u00b7 necessary and sufficient for stripes"
    )
    assert found.facets == {"class": "dots", "necessary": "stripes", "sufficient": "stripes"}


def test_a_unit_without_claims_says_whether_it_was_tested(evidence: list[UnitEvidence]) -> None:
    texts = [headline(with_ratio(each, math.nan), []).text for each in evidence[1:]]
    assert texts == ["no causal effect shown", "constant", ""]


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        (["a", "b", "b"], {"class": "b"}),
        (["b", "a", "a", "b"], {"class": "b"}),  # that of the highest activation
        (["a", "b", "c"], {}),  # one of three says nothing
        ([*"aabcdefgh"], {}),  # and so do two of nine
        ([*"aaabcdefg"], {"class": "a"}),
        (["a", None, None], {}),
        (["a"], {"class": "a"}),
        ([None], {}),
    ],
)
def test_the_class_is_that_of_most_top_images(
    classes: list[str | None], wanted: dict[str, str], evidence: list[UnitEvidence]
) -> None:
    assert headline(evidence[3], classes).facets == wanted


@pytest.mark.parametrize(
    ("ratio", "wanted"),
    [(0.96, "1.0"), (9.94, "9.9"), (9.96, "10"), (123.4, "123"), (-0.26, "\u22120.3")],
)
def test_ratios_have_two_digits_and_a_minus_sign(
    ratio: float, wanted: str, evidence: list[UnitEvidence]
) -> None:
    assert headline(with_ratio(evidence[3], ratio), []).text == f"{wanted}\u00d7 best image"


def test_the_unit_index_has_headlines_and_facets_in_columns(store: Path, tmp_path: Path) -> None:
    gallery.export([store], tmp_path / "site")
    found = data(tmp_path / "site", "1/units")
    order = list(units(tmp_path / "site"))
    lines = dict(zip(order, found["headlines"], strict=True))
    # The top images of each unit are of three classes, except that the second has one image.
    assert lines[UNITS[0]].endswith("best image \u00b7 necessary and sufficient for stripes")
    assert lines[UNITS[1]].startswith("bar \u00b7 1 of 1 top images")
    assert lines[UNITS[2]].endswith("constant")
    assert (lines[UNITS[3]], lines[LOGIT]) == ("", "")
    assert {key: one["values"] for key, one in found["facets"].items()} == {
        "class": ["bar"],
        "necessary": ["stripes"],
        "sufficient": ["stripes"],
    }
    necessary = found["facets"]["necessary"]["units"]
    assert [necessary[order.index(unit)] for unit in UNITS] == [0, None, None, None]


def test_without_evidence_there_are_no_headlines(tmp_path: Path) -> None:
    gallery.export([write_store(tmp_path / "a", UNITS)], tmp_path / "site")
    found = data(tmp_path / "site", "1/units")
    assert (found["headlines"], found["facets"]) == ([], {})
    assert Headline().facets == {}
