from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz.analysis.evidence.checks import converged
from featviz.store.reader import Store
from tests.cli.running import Run, tree

UNITS = ["patch_embed:0", "patch_embed:1"]


@pytest.fixture
def store(run: Run, tmp_path: Path) -> Path:
    """Two pictures each of two filters."""
    words = ["cueworld/vit", "patch_embed:0-1", "-o", tmp_path / "s", "--size", 32]
    assert run("render", *words, "--steps", 4, "--samples", 2).status == 0
    return tmp_path / "s"


def test_a_table_tells_the_numbers_of_the_best_picture(run: Run, store: Path) -> None:
    result = run("score", store)
    heading, *table = (line.split() for line in result.out.splitlines())
    shown = ["held_out", "fine", "grid", "spectrum", "rise", "agreement", "similarity"]
    assert heading == ["unit", "activation", *shown]
    assert [row[0] for row in table] == UNITS
    for unit, _, *cells in table:
        best = int(Store(store).row(unit)["activation"].argmax())
        row = Store(store).row(unit, "scores")
        expected = [
            float(np.atleast_1d(row[name])[best if row[name].ndim else 0]) for name in shown
        ]
        assert [float(cell) for cell in cells] == pytest.approx(expected, rel=1e-3, nan_ok=True)
    assert result.err.splitlines()[-1] == f"{store}: 2 units scored, 0 were there, 0 failed"


def test_json_tells_every_picture_and_what_is_not_known_is_null(run: Run, store: Path) -> None:
    report = json.loads(run("score", store, "--json").out)
    assert (report["store"], report["sides"], report["failures"]) == (str(store), 0, {})
    assert [unit["address"] for unit in report["units"]] == UNITS
    for unit in report["units"]:
        row: dict[str, Any] = Store(store).row(unit["address"], "scores")
        assert unit["held_out"] == pytest.approx(row["held_out"].tolist())
        assert unit["converged"] == converged(row["rise"]).tolist()
        assert unit["agreement"] is None
        assert 0 <= unit["similarity"] <= 1
        assert math.isnan(row["agreement"])


def test_a_second_run_says_the_same_and_changes_no_byte(run: Run, store: Path) -> None:
    first, before = run("score", store), tree(store)
    again = run("score", store)
    assert (again.status, again.out, tree(store)) == (0, first.out, before)
    assert again.err == f"{store}: 0 units scored, 2 were there, 0 failed\n"


def test_other_data_is_refused_until_forced_and_reaches_the_configuration(
    run: Run, store: Path
) -> None:
    run("score", store)
    before = tree(store)
    line = run("score", store, "--data", "cueworld:9").refusal()
    assert "spectrum" in line
    assert "--force" in line
    assert tree(store) == before
    assert run("score", store, "--data", "cueworld:9", "--force").status == 0
    assert Store(store).configuration["scores"]["spectrum"] == "cueworld:9"
    assert set(before.values()) - {before["store.json"]} <= set(tree(store).values())


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--data", "cueworl"], "cueworld"), (["--device", "tpu9"], "tpu9")],
)
def test_a_wrong_name_costs_one_line(run: Run, store: Path, words: list[str], says: str) -> None:
    before = tree(store)
    assert says in run("score", store, *words).refusal()
    assert tree(store) == before


def test_a_store_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    assert "there is no store" in run("score", tmp_path / "none").refusal()
    assert list(tmp_path.iterdir()) == []
