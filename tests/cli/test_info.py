from __future__ import annotations

import json
from pathlib import Path

import pytest

from featviz.store.reader import Store
from tests.cli.running import Run, tree
from tests.gallery.made_stores import write_store


def test_the_facts_are_those_of_the_store(run: Run, neurons: Path) -> None:
    result = run("info", neurons, "--json")
    assert json.loads(result.out) == Store(neurons).info()
    lines = dict(line.split(maxsplit=1) for line in run("info", neurons).out.splitlines()[:6])
    assert lines["model"] == "cueworld/vit"
    assert lines["rows"] == "{'renders': 3}"
    assert (result.status, result.err) == (0, "")


def test_names_and_values_are_apart_and_aligned(run: Run, tmp_path: Path) -> None:
    long = "a_setting_of_a_long_name"
    store = write_store(
        tmp_path / "store", ["head:0"], settings={long: 7}, failures={"head:1": "?"}
    )
    lines = run("info", store.path).out.splitlines()
    rows = [("model", "cueworld/vit"), (long, "7"), ("steps", "12"), ("failed", "head:1: ?")]
    for name, value in rows:
        (line,) = (line for line in lines if line.split()[0] == name)
        assert line[: len(long) + 2].strip() == name
        assert line[len(long) + 2 : len(long) + 4] == "  "
        assert line[len(long) + 4 :] == value


@pytest.mark.parametrize("command", ["info", "verify", "pack", "gallery"])
@pytest.mark.parametrize("kind", ["missing", "empty folder", "text", "HDF5 signature"])
def test_commands_that_read_stores_refuse_anything_else(
    run: Run, tmp_path: Path, command: str, kind: str
) -> None:
    path = tmp_path / "thing"
    if kind == "empty folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"mine" if kind == "text" else b"\x89HDF\r\n\x1a\n and no more")
    before = tree(tmp_path)
    more: dict[str, list[object]] = {
        "pack": [tmp_path / "all.h5"],
        "gallery": ["-o", tmp_path / "site"],
    }
    assert "thing" in run(command, path, *more.get(command, [])).refusal()
    assert tree(tmp_path) == before
