from __future__ import annotations

import json
from pathlib import Path

import pytest

from featviz.store.reader import Store
from tests.cli.running import Run, tree

FEW = ("--data", "cueworld:20", "--images", 18, "--steps", 2, "--size", 16)


def words(store: Path, *more: object) -> list[object]:
    first = ["compare", "cueworld/resnet", "cueworld/mixer", "layer3.0.conv1:0-1"]
    return [*first, "-o", store, *FEW, *more]


def test_the_layers_and_the_matches_are_told_on_stdout(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    result = run(*words(store))
    assert result.status == 0, result.err
    layers, pairs = (part.splitlines() for part in result.out.split("\n\n"))
    assert layers[0].split("  ")[0] == "layer"
    assert [line.split()[0] for line in layers[1:4]] == ["conv1", "layer1.0", "layer1.1"]
    assert [line.split()[0] for line in pairs[1:]] == ["layer3.0.conv1:0", "layer3.0.conv1:1"]
    assert result.err.splitlines()[-1] == f"{store}: 2 units matched, 0 were there, 0 failed"
    assert Store(store).info()["rows"] == {"cka": 10, "matches": 2}


def test_a_second_run_changes_no_byte_and_tells_the_same(run: Run, tmp_path: Path) -> None:
    first = run(*words(tmp_path / "store"))
    before = tree(tmp_path)
    again = run(*words(tmp_path / "store"))
    assert (again.status, again.out, tree(tmp_path)) == (0, first.out, before)
    assert again.err == f"{tmp_path / 'store'}: 0 units matched, 2 were there, 0 failed\n"


def test_json_tells_every_number_that_is_stored(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    told = json.loads(run(*words(store, "--json")).out)
    opened = Store(store)
    assert told["layers"]["a"][0] == "conv1"
    for path, values in zip(told["layers"]["a"], told["similarity"], strict=True):
        assert opened.row(path, "cka")["similarity"].tolist() == values
        assert len(values) == len(told["layers"]["b"])
    for each in told["matches"]:
        row = opened.row(each["address"], "matches")
        assert (row["match"], float(row["correlation"])) == (each["match"], each["correlation"])
    assert told["failures"] == {}


def test_each_model_is_loaded_by_its_own_options(run: Run, tmp_path: Path) -> None:
    line = run(*words(tmp_path / "store", "--untrained-b")).refusal()
    assert "cueworld/mixer comes with its weights" in line
    line = run(*words(tmp_path / "store", "--arch-a", "resnet18")).refusal()
    assert "cueworld/resnet names its architecture" in line
    few = run(*words(tmp_path / "store", "--data", "cueworld:3"))
    assert "at least 4 images, not 3" in few.refusal()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--data", "cueword"], "did you mean cueworld"),
        (["--seed", "1"], "seed is 0 there and 1 here"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    run: Run, tmp_path: Path, change: list[str], message: str
) -> None:
    run(*words(tmp_path / "store"))
    before = tree(tmp_path)
    assert message in run(*words(tmp_path / "store", *change)).refusal()
    assert tree(tmp_path) == before
    assert run(*words(tmp_path / "store", "--images", 3)).refusal(2)
