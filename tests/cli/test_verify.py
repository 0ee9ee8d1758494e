from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from featviz.store.reader import Store
from tests.cli.running import Run, tree


@pytest.fixture
def damaged(neurons: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of a store, and its shard in which one byte is wrong."""
    store = tmp_path / "damaged"
    shutil.copytree(neurons, store)
    shard = min((store / "shards").glob("*.h5"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    return store, shard


def test_an_undamaged_store_prints_nothing_on_stdout(run: Run, neurons: Path) -> None:
    result = run("verify", neurons)
    assert (result.status, result.out) == (0, "")
    assert result.err == f"{neurons}: no problems, 3 renders\n"
    assert json.loads(run("verify", neurons, "--json").out)["problems"] == []


def test_each_problem_is_printed_and_the_status_is_1(run: Run, damaged: tuple[Path, Path]) -> None:
    store, shard = damaged
    before = tree(store)
    result = run("verify", store)
    assert result.status == 1
    assert shard.name in result.out
    assert len(result.out.splitlines()) == 1
    assert result.err == f"Error: {store} is damaged: 1 problem\n"
    assert len(json.loads(run("verify", store, "--json").out)["problems"]) == 1
    assert tree(store) == before


def test_a_damaged_store_is_not_packed_and_its_gallery_has_gaps(
    run: Run, damaged: tuple[Path, Path], tmp_path: Path
) -> None:
    store, shard = damaged
    before = tree(tmp_path)
    assert shard.name in run("pack", store, tmp_path / "all.h5").refusal()
    assert tree(tmp_path) == before
    exported = run("gallery", store, "-o", tmp_path / "site")
    assert exported.status == 3
    assert "Traceback" not in exported.err
    lines = [line for line in exported.err.splitlines() if line.startswith("damaged: ")]
    assert all(shard.name in line for line in lines)
    assert 0 < len(lines) < len(Store(store).addresses())
    assert (tmp_path / "site" / "index.html").exists()
