from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gallery
from featviz.analysis.evidence.summary import summarize
from featviz.analysis.evidence.unit_evidence import read_evidence
from gallery.units.evidence_json import EXTREMES, extremes
from tests.gallery.evidence import HOSTILE, LOGIT, QUANTILES, SITE, UNITS, write_evidence
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data, units

BOX = [125, 125, 250, 250]  # the second patch of the second row of eight, in thousandths


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_evidence(tmp_path_factory.mktemp("evidence") / "s").path


@pytest.fixture(scope="module")
def site(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence") / "site"
    gallery.export([store], folder)
    return folder


def evidence_of(site: Path, unit: str) -> Any:
    """Evidence of a unit in its data file."""
    ((_, row, *_),) = units(site)[unit]
    return data(site, "1/details/0")[row][6]


def similar_of(site: Path, unit: str) -> Any:
    """Similar units of a unit in its data file."""
    ((_, row, *_),) = units(site)[unit]
    return data(site, "1/details/0")[row][5]


def test_examples_have_index_activation_class_and_patch(site: Path) -> None:
    found = evidence_of(site, UNITS[0])["examples"]
    top = [[8, 4, "bar", [BOX]], [7, 3, HOSTILE, [BOX]], [6, 2, "disc", [BOX]]]
    assert [entry[:4] for entry in found["top"]] == top
    assert [entry[:2] for entry in found["bottom"]] == [[0, -4], [1, -3], [2, -2]]
    assert [entry[:2] for entry in found["spread"]] == [[2, -2], [4, 0], [6, 2]]
    assert found["quantiles"] == list(QUANTILES)
    assert (found["low"], found["median"], found["high"]) == (-4, 0, 4)
    assert (found["images"], found["data"]) == (9, "photos & <b>more</b>")


def test_maps_have_16_levels_between_the_medians_of_the_extremes_of_the_top_images(
    site: Path,
) -> None:
    """The maps of the top images 8, 7 and 6 reach from 0 to 8, 7 and 6."""
    found = evidence_of(site, UNITS[0])["examples"]
    assert found["map"] == [2, 3, 0, 7]
    levels = {
        # Shares 0, 0.2, 0.4, 0.6, 0.8 and 1 of 8/7, 1 and 6/7 of 15 levels, two in a byte.
        8: bytes([0x03, 0x7A, 0xEF]),
        7: bytes([0x03, 0x69, 0xCF]),
        6: bytes([0x03, 0x58, 0xAD]),
    }
    assert {entry[0]: base64.b64decode(entry[4]) for entry in found["top"]} == levels
    assert [len(entry) for entry in found["spread"]] == [5, 5, 5]
    # The map of image 2 is that of another row; there are none of the lowest images.
    assert [len(entry) for entry in found["bottom"]] == [4, 4, 4]


def test_units_without_maps_have_none(site: Path) -> None:
    found = evidence_of(site, UNITS[1])["examples"]
    assert found["map"] is None
    assert [len(entry) for entry in found["top"]] == [4]


def test_maps_that_do_not_fit_their_grid_are_left_out_with_a_warning(tmp_path: Path) -> None:
    store = write_evidence(tmp_path / "s")
    row = store.row(UNITS[0], "example_maps")
    wide = {name: np.asarray(value)[None] for name, value in row.items() if name != "address"}
    wide["grid"] = np.array([[3, 3]], np.int32)
    for path in (tmp_path / "s/shards").glob("example_maps-*"):
        path.unlink()
    settings = store.configuration["example_maps"]
    write_results(tmp_path / "s", "example_maps", {"address": [UNITS[0]], **wide}, settings)
    made = gallery.export([tmp_path / "s"], tmp_path / "site")
    assert made.warnings == (f"maps of {UNITS[0]}: its maps have 3 x 3 patches and 8 levels",)
    assert evidence_of(tmp_path / "site", UNITS[0])["examples"]["map"] is None


def test_missing_examples_are_left_out(site: Path) -> None:
    assert [entry[0] for entry in evidence_of(site, UNITS[1])["examples"]["top"]] == [8]


def test_a_logit_has_a_query_and_a_key_patch_and_the_class_token_has_none(site: Path) -> None:
    found = evidence_of(site, LOGIT)
    assert found["examples"]["top"][0] == [8, 4, "bar", [BOX, None]]
    assert found["verdict"] is None


def test_classes_without_images_are_not_extremes(site: Path) -> None:
    # Of rows.examples the means are -3, 0 and NaN.
    assert evidence_of(site, UNITS[0])["examples"]["classes"] == {
        "up": [[HOSTILE, 0]],
        "down": [["disc", -3]],
    }


@given(st.dictionaries(st.text(), st.integers(-5, 5).map(float), max_size=20))
def test_extremes_are_the_highest_and_lowest_values_without_overlap(
    values: dict[str, float],
) -> None:
    found = extremes(values)
    up, down = found["up"], found["down"]
    assert not {name for name, _ in up} & {name for name, _ in down}
    assert len(up) + len(down) == min(len(values), 2 * EXTREMES)
    assert [value for _, value in up] == sorted(values.values(), reverse=True)[: len(up)]
    assert [value for _, value in down] == sorted(values.values())[: len(down)]


def test_sentences_checks_and_metrics_are_those_of_the_evidence(store: Path, site: Path) -> None:
    for unit in UNITS:
        expected = read_evidence(store, unit).to_json()
        found = evidence_of(site, unit)
        for name in ("sentences", "checks", "best"):
            assert found[name] == expected[name]
        for shown, whole in zip(found["pictures"], expected["pictures"], strict=True):
            rounded = {key: v if v is None else float(f"{v:.5g}") for key, v in whole.items()}
            assert shown == rounded


def test_profiles_keep_the_extreme_classes_of_the_total_effect(site: Path) -> None:
    # The totals of red, green and stripes are 0.1, -0.2 and 0.9.
    profile = evidence_of(site, UNITS[0])["verdict"]["profile"]
    assert profile["total"] == [["stripes", 0.9], ["red", 0.1], ["green", -0.2]]
    assert profile["direct"] == [["stripes", 0.5], ["red", 0], ["green", 0.1]]


def test_effects_are_metrics_only_of_neurons_whose_claim_holds(site: Path) -> None:
    columns = data(site, "1/units")["metrics"]
    indices = [list(units(site)).index(unit) for unit in UNITS]
    # The weaker of the ablations that lower the margin by 0.84 and 0.75; the dose raises it by 1.2.
    assert [columns["necessity"][index] for index in indices] == [0.75, None, None, None]
    assert [columns["sufficiency"][index] for index in indices] == [1.2, None, None, None]
    assert [columns["path"][index] for index in indices] == [0.9, 0.8, -0.5, None]


def test_pairs_of_pictures_have_no_metrics_but_the_activation(site: Path) -> None:
    columns = data(site, "1/units")["metrics"]
    index = list(units(site)).index(LOGIT)
    assert {name for name, values in columns.items() if values[index] is not None} == {"activation"}


def test_the_report_is_the_summary_of_the_store(store: Path, site: Path) -> None:
    found = data(site, "1/sections/report")
    expected = json.loads(json.dumps(summarize(store).to_json()))
    assert {name: found[name] for name in expected} == expected
    assert found["units"] == len(UNITS)
    assert data(site, "1/model")["sections"][0] == ["report", len(UNITS)]


def test_the_report_is_of_the_included_units(store: Path, tmp_path: Path) -> None:
    gallery.export([store], tmp_path / "site", include=[f"{SITE}:1-2"])
    found = data(tmp_path / "site", "1/sections/report")
    assert (found["units"], found["overall"]["silent"]) == (2, 1)
    assert found["classes"] == {}


def test_without_evidence_there_is_no_report(tmp_path: Path) -> None:
    gallery.export([write_store(tmp_path / "a", UNITS)], tmp_path / "site")
    assert data(tmp_path / "site", "1/model")["sections"] == []
    assert not (tmp_path / "site/data-1/1/sections/report.js").exists()
    assert evidence_of(tmp_path / "site", UNITS[0]) is None


def test_numbers_have_five_significant_digits(site: Path) -> None:
    found = [value for unit in UNITS for value in floats(evidence_of(site, unit))]
    assert len(found) > 100
    assert found == [float(f"{value:.5g}") for value in found]


def floats(value: Any) -> list[float]:
    """Every number with a fraction in a JSON value."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [each for part in parts for each in floats(part)]
    return [value] if isinstance(value, float) else []
