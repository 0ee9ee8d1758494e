from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz.analysis.evidence.unit_evidence import EvidenceReader
from featviz.analysis.evidence.unit_metrics import UNIT_METRICS
from featviz.analysis.table.columns import COLUMNS, unit_rows
from tests.featviz.analysis.evidence.rows import SITE, UNITS, renders, whole_store
from tests.featviz.store.made_stores import writer
from tests.gallery.evidence import LOGIT, write_evidence

DOCS = Path(__file__).parents[4] / "docs" / "export.md"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_store(tmp_path_factory.mktemp("table") / "s")


@pytest.fixture(scope="module")
def rows(store: Path) -> dict[Any, dict[str, Any]]:
    return {row["address"]: row for row in unit_rows(store)}


def test_every_unit_with_any_result_has_one_row_in_the_order_of_the_store(
    rows: dict[str, dict[str, Any]],
) -> None:
    assert list(rows) == [*UNITS, f"{SITE}:9"]  # which has natural images, but no picture
    pictured = [(row["kind"], row["samples"], row["best_sample"]) for row in rows.values()]
    assert pictured == [("renders", 2, n) for n in (0, 1, 0, 1)] + [(None, 0, None)]
    assert rows[f"{SITE}:9"]["natural_best"] == 4


def test_numbers_are_of_the_best_picture_and_of_the_effect_that_a_claim_is_about(
    rows: dict[str, dict[str, Any]],
) -> None:
    found = rows[UNITS[0]]
    # Values on nine natural images are -4 to 4, and 6 and 5 on the pictures.
    expected = {"activation": 6, "ratio": 1.5, "percentile": 100, "held_out": 3, "kept": 0.5}
    # The smaller effect of two ablations; the 99th percentile; the neuron's own picture.
    expected |= {"necessary_effect": 0.75, "necessary_low": 0.5, "necessary_high": 1}
    expected |= {"sufficient_effect": 1.2, "sufficient_low": 0.9, "sufficient_high": 1.5}
    expected |= {"pictured_effect": 2, "pictured_low": 1.4, "pictured_high": 2.6}
    # Two neurons are tested, and the other one has p-values of 0.7 and more.
    expected |= {"necessary_p": 0.002, "necessary_q": 0.004, "sufficient_q": 0.002}
    expected |= {"necessity": 0.75, "sufficiency": 1.2, "tested_images": 20, "neutral_images": 36}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert (found["necessary"], found["sufficient"], found["pictured"]) == (True, True, True)
    assert found["tested_class"] == "stripes"
    ends = [found[f"writes_{end}{what}"] for end in ("to", "against") for what in ("", "_effect")]
    assert ends == ["green", 0.5, "stripes", -0.125]


def test_what_is_not_known_is_none_and_never_nan(rows: dict[str, dict[str, Any]]) -> None:
    failed, silent, untested = (rows[unit] for unit in UNITS[1:])
    assert (failed["necessary"], failed["necessity"], failed["necessary_effect"]) == (
        False,
        None,
        pytest.approx(-0.1),
    )
    assert (silent["silent"], silent["necessary"], silent["necessary_effect"]) == (True, None, None)
    assert (untested["silent"], untested["ratio"], untested["top_class"]) == (None, None, None)
    values = [value for row in rows.values() for value in row.values()]
    assert not any(isinstance(value, float) and np.isnan(value) for value in values)


def test_values_have_the_type_of_their_column(rows: dict[str, dict[str, Any]]) -> None:
    for row in rows.values():
        assert list(row) == list(COLUMNS)
        for name, value in row.items():
            assert value is None or type(value) is COLUMNS[name].kind, name


def test_a_metric_is_the_one_of_the_evidence(store: Path, rows: dict[str, dict[str, Any]]) -> None:
    # The table has statistics of natural images of every unit, the metrics those of latents.
    metrics = {name: read for name, read in UNIT_METRICS.items() if "natural_" not in name}
    assert len(metrics) == len(UNIT_METRICS) - 3
    for evidence in EvidenceReader(store):
        of_evidence = [read(evidence) for read in metrics.values()]
        of_table = [rows[evidence.address][name] for name in metrics]
        np.testing.assert_array_equal(of_evidence, np.array(of_table, float))


def test_the_top_class_is_that_of_most_top_images_however_few(tmp_path: Path) -> None:
    rows = {row["address"]: row for row in unit_rows(write_evidence(tmp_path / "s").path)}
    shares = [(row["top_class"], row["top_class_share"]) for row in rows.values() if row["ratio"]]
    # Three top images of three classes; one image; three images of three classes.
    assert shares[0][1] == pytest.approx(1 / 3)
    assert shares[1] == ("bar", 1)
    assert rows[LOGIT]["kind"] == "sides"


def test_parts_of_an_address_are_empty_for_a_sum(tmp_path: Path) -> None:
    made = writer(tmp_path / "s", configuration={"steps": 4, "samples": 1})
    made.add(renders(["a.fc1:3@7", "a.fc1:3@7+-0.5~head:2"], [[1], [2]]))
    parts = [[row[name] for name in ("layer", "index", "token")] for row in unit_rows(made.path)]
    assert parts == [["a.fc1", "3", "7"], [None, None, None]]


def test_the_docs_name_every_column_once() -> None:
    table = DOCS.read_text(encoding="utf-8").partition("## Columns")[2]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(COLUMNS)
    assert len(set(named)) == len(named)
