"""`featviz info`, `verify`, `pack` and `gallery`."""

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


def test_info_tells_what_the_store_says_of_itself(run: Run, neurons: Path) -> None:
    result = run("info", neurons, "--json")
    assert json.loads(result.out) == Store(neurons).info()
    lines = dict(line.split(maxsplit=1) for line in run("info", neurons).out.splitlines()[:6])
    assert lines["model"] == "cueworld/vit"
    assert lines["rows"] == "{'renders': 3}"
    assert (result.status, result.err) == (0, "")


def test_verify_is_silent_on_stdout_when_all_is_well(run: Run, neurons: Path) -> None:
    result = run("verify", neurons)
    assert (result.status, result.out) == (0, "")
    assert result.err == f"{neurons}: all is well, 3 renders\n"
    assert json.loads(run("verify", neurons, "--json").out)["problems"] == []


def test_verify_lists_each_damaged_part_and_exits_with_1(
    run: Run, damaged: tuple[Path, Path]
) -> None:
    store, shard = damaged
    before = tree(store)
    result = run("verify", store)
    assert result.status == 1
    assert shard.name in result.out
    assert len(result.out.splitlines()) == 1
    assert result.err == f"Error: {store} has 1 damaged parts\n"
    assert len(json.loads(run("verify", store, "--json").out)["problems"]) == 1
    assert tree(store) == before


def test_a_damaged_store_is_not_packed_and_is_shown_with_gaps(
    run: Run, damaged: tuple[Path, Path], tmp_path: Path
) -> None:
    store, shard = damaged
    before = tree(tmp_path)
    assert shard.name in run("pack", store, tmp_path / "all.h5").refusal()
    assert tree(tmp_path) == before
    shown = run("gallery", store, "-o", tmp_path / "site")
    assert shown.status == 3
    assert "Traceback" not in shown.err
    told = [line for line in shown.err.splitlines() if line.startswith("damaged: ")]
    assert all(shard.name in line for line in told)
    assert 0 < len(told) < len(Store(store).addresses())
    assert (tmp_path / "site" / "index.html").exists()


def test_a_pack_reads_like_the_folder(run: Run, neurons: Path, tmp_path: Path) -> None:
    packed = tmp_path / "all.h5"
    result = run("pack", neurons, packed)
    assert (result.status, result.out, result.err) == (0, "", f"{packed}: 3 renders\n")
    assert run("verify", packed).status == 0
    told = json.loads(run("info", packed, "--json").out)
    folder = json.loads(run("info", neurons, "--json").out)
    own = ("path", "bytes")
    assert {key: value for key, value in told.items() if key not in own} == {
        key: value for key, value in folder.items() if key not in own
    }
    shown = run("gallery", packed, "-o", tmp_path / "site")
    assert shown.status == 0


def test_nothing_is_packed_over_a_file(run: Run, neurons: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.h5").write_text("mine")
    assert "is not overwritten" in run("pack", neurons, tmp_path / "mine.h5").refusal()
    assert (tmp_path / "mine.h5").read_text() == "mine"
    assert "there is no folder" in run("pack", neurons, tmp_path / "no" / "all.h5").refusal()
    assert list(tree(tmp_path)) == ["mine.h5"]


@pytest.mark.parametrize("command", ["info", "verify", "pack", "gallery"])
@pytest.mark.parametrize("kind", ["missing", "empty folder", "text", "HDF5 signature"])
def test_what_is_no_store_is_refused_and_left_alone(
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


def test_gallery_prints_the_page_to_open(run: Run, neurons: Path, tmp_path: Path) -> None:
    result = run("gallery", neurons, "-o", tmp_path / "site")
    assert (result.status, result.out) == (0, f"{tmp_path / 'site' / 'index.html'}\n")
    assert Path(result.out.strip()).is_file()


def test_gallery_takes_no_folder_of_something_else(run: Run, neurons: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for target in (tmp_path, tmp_path / "mine"):
        run("gallery", neurons, "-o", target).refusal()
    assert list(tree(tmp_path)) == ["mine"]
