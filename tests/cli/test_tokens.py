from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz.optimization.optimize import optimize
from featviz.rendering import batches
from featviz.store.reader import Store
from tests.cli.running import Run, tree

FEW = ("--steps", 2, "--size", 16)
UNIT = "blocks.1.mlp.fc1:3"


def words(store: Path, *more: object, which: str = f"{UNIT}@1,28") -> list[object]:
    return ["tokens", "cueworld/vit", which, "-o", store, *FEW, *more]


def test_a_table_tells_the_medians_and_stderr_what_was_done(run: Run, tmp_path: Path) -> None:
    result = run(*words(tmp_path / "s"))
    heading, row = (line.split() for line in result.out.splitlines())
    assert heading == ["unit", "tokens", "share", "likeness"]
    assert row[:2] == [UNIT, "2"]
    stored = Store(tmp_path / "s").row(UNIT, "tokens")
    share = stored["reached"] / stored["optimum"]
    assert float(row[2]) == pytest.approx(float(np.median(share)), rel=1e-3)
    assert float(row[3]) == pytest.approx(float(np.median(stored["similarity"])), rel=1e-3)
    assert (result.status, result.err.splitlines()[-1]) == (
        0,
        f"{tmp_path / 's'}: 1 units scored, 0 were there, 0 pictures failed",
    )


def test_json_tells_what_is_stored_of_each_token(run: Run, tmp_path: Path) -> None:
    report = json.loads(run(*words(tmp_path / "s", "--json")).out)
    stored = Store(tmp_path / "s").row(UNIT, "tokens")
    (unit,) = report["units"]
    assert (report["failures"], unit["address"], unit["at"]["tokens"]) == ({}, UNIT, [1, 28])
    names = {"optimum": "optimum", "reached": "reached", "likeness": "similarity"}
    for name, column in names.items():
        np.testing.assert_allclose(unit["at"][name], stored[column], rtol=1e-6)


def test_a_second_run_says_the_same_and_changes_no_byte(run: Run, tmp_path: Path) -> None:
    first = run(*words(tmp_path / "s"))
    before = tree(tmp_path)
    again = run(*words(tmp_path / "s"))
    assert (again.status, again.out, tree(tmp_path)) == (0, first.out, before)
    assert again.err == f"{tmp_path / 's'}: 0 units scored, 1 were there, 0 pictures failed\n"


def test_the_recipe_and_the_grid_reach_the_configuration(run: Run, tmp_path: Path) -> None:
    run(*words(tmp_path / "s", "--seed", 7, "--smoothness", 0.125))
    configuration = Store(tmp_path / "s").configuration
    assert configuration["tokens"] == configuration["renders"] | {
        "grid": [8, 8],
        "prefix": 1,
        "tokens": [1, 28],
    }
    assert (configuration["renders"]["seed"], configuration["renders"]["smoothness"]) == (7, 0.125)


def test_a_unit_without_tokens_is_refused_and_nothing_written(run: Run, tmp_path: Path) -> None:
    line = run(*words(tmp_path / "s", which=UNIT)).refusal()
    assert f"{UNIT} names no token; write {UNIT}@all" in line
    assert list(tmp_path.iterdir()) == []


def test_other_tokens_are_refused_until_forced(run: Run, tmp_path: Path) -> None:
    run(*words(tmp_path / "s"))
    before = tree(tmp_path)
    other = f"{UNIT}@2,28"
    assert "--force" in run(*words(tmp_path / "s", which=other)).refusal()
    assert tree(tmp_path) == before
    assert run(*words(tmp_path / "s", "--force", which=other)).status == 0
    assert set(before.values()) <= set(tree(tmp_path).values())


def test_a_picture_that_fails_ends_with_3_and_leaves_its_unit_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(model: Any, units: Any, *rest: Any) -> Any:
        if f"{UNIT}@28" in map(str, units):
            raise ValueError("broken unit")
        return optimize(model, units, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", failing)
        result = run(*words(tmp_path / "s", "--json"))
    assert result.status == 3
    assert json.loads(result.out) == {
        "store": str(tmp_path / "s"),
        "units": [],
        "failures": {f"{UNIT}@28": "ValueError: broken unit"},
    }
    assert f"failed: {UNIT}@28: ValueError: broken unit\n" in result.err
    assert run(*words(tmp_path / "s")).status == 0
