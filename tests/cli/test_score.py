from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz.analysis.scores.metrics import converged
from featviz.store.reader import Store
from tests.cli.running import Run, tree

UNITS = ["patch_embed:0", "patch_embed:1"]


@pytest.fixture
def store(run: Run, tmp_path: Path) -> Path:
    """Two pictures each of two filters."""
    words = ["cueworld/vit", "patch_embed:0-1", "-o", tmp_path / "s", "--size", 32]
    assert run("render", *words, "--steps", 4, "--samples", 2).status == 0
    return tmp_path / "s"


def test_the_table_has_the_scores_of_the_best_picture(run: Run, store: Path) -> None:
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
    assert result.err.splitlines()[-1] == f"{store}: 2 units scored, 0 already stored, 0 failed"


def test_json_has_the_scores_of_every_picture_and_null_for_nan(run: Run, store: Path) -> None:
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


def test_a_second_run_writes_nothing_and_prints_the_same(run: Run, store: Path) -> None:
    first, before = run("score", store), tree(store)
    again = run("score", store)
    assert (again.status, again.out, tree(store)) == (0, first.out, before)
    assert again.err == f"{store}: 0 units scored, 2 already stored, 0 failed\n"


def test_other_data_is_refused_without_force(run: Run, store: Path) -> None:
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
def test_a_wrong_name_is_one_error_line(run: Run, store: Path, words: list[str], says: str) -> None:
    before = tree(store)
    assert says in run("score", store, *words).refusal()
    assert tree(store) == before


def test_a_missing_store_is_refused(run: Run, tmp_path: Path) -> None:
    assert "there is no store" in run("score", tmp_path / "none").refusal()
    assert list(tmp_path.iterdir()) == []
