from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import Run, tree


def test_a_packed_store_reads_like_the_folder(run: Run, neurons: Path, tmp_path: Path) -> None:
    packed = tmp_path / "all.h5"
    result = run("pack", neurons, packed)
    assert (result.status, result.out, result.err) == (0, "", f"{packed}: 3 renders\n")
    assert run("verify", packed).status == 0
    facts = [json.loads(run("info", store, "--json").out) for store in (packed, neurons)]
    for each in facts:
        del each["path"], each["bytes"]
    assert facts[0] == facts[1]
    assert run("gallery", packed, "-o", tmp_path / "site").status == 0


def test_the_report_is_available_as_json_and_missing_folders_are_made(
    run: Run, neurons: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "new" / "folder" / "all.h5"
    result = run("pack", neurons, packed, "--json")
    expected = {"file": str(packed), "rows": {"renders": 3}, "bytes": packed.stat().st_size}
    assert (result.status, json.loads(result.out)) == (0, expected)


def test_a_folder_is_not_the_name_of_a_packed_file(run: Run, neurons: Path, tmp_path: Path) -> None:
    for folder in (str(tmp_path), f"{tmp_path}/new/"):
        refusal = run("pack", neurons, folder).refusal()
        assert f"{folder} is a folder" in refusal
        assert f"{Path(folder) / 'neurons.h5'}" in refusal
    assert tree(tmp_path) == {}


def test_an_existing_file_is_not_overwritten(run: Run, neurons: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.h5").write_text("mine")
    assert "is not overwritten" in run("pack", neurons, tmp_path / "mine.h5").refusal()
    assert (tmp_path / "mine.h5").read_text() == "mine"
    assert "mine.h5 is a file" in run("pack", neurons, tmp_path / "mine.h5" / "all.h5").refusal()
    assert list(tree(tmp_path)) == ["mine.h5"]
