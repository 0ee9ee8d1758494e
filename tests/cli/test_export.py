from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.running import Run, tree


def test_a_dash_writes_the_table_to_stdout(run: Run, neurons: Path) -> None:
    result = run("export", neurons, "--csv", "-")
    assert (result.status, result.err) == (0, "stdout: 3 units, 67 columns\n")
    rows = list(csv.DictReader(io.StringIO(result.out, newline="")))
    assert [row["address"] for row in rows] == ["patch_embed:0", "patch_embed:1", "patch_embed:2"]


@pytest.mark.parametrize("option", ["--csv", "--parquet"])
def test_the_report_names_file_units_and_columns(
    option: str, run: Run, neurons: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "t"
    report = json.loads(run("export", neurons, option, file, "--json").out)
    assert (report["file"], report["units"]) == (str(file), 3)
    assert report["bytes"] == file.stat().st_size
    assert report["columns"][:2] == ["address", "layer"]


def test_a_folder_and_its_pack_give_the_same_table(run: Run, neurons: Path, tmp_path: Path) -> None:
    run("pack", neurons, tmp_path / "n.h5")
    tables = [run("export", store, "--csv", "-").out for store in (neurons, tmp_path / "n.h5")]
    assert tables[0] == tables[1]


def test_exactly_one_format_is_required(run: Run, neurons: Path, tmp_path: Path) -> None:
    assert "give one of" in run("export", neurons).refusal(2)
    both = run("export", neurons, "--csv", tmp_path / "a", "--parquet", tmp_path / "b")
    assert "give one of" in both.refusal(2)
    assert "both write to stdout" in run("export", neurons, "--csv", "-", "--json").refusal(2)
    assert "expected a file" in run("export", neurons, "--parquet", "-").refusal(2)
    assert tree(tmp_path) == {}


def test_without_pyarrow_the_error_names_the_extra(
    run: Run, neurons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = run("export", neurons, "--parquet", tmp_path / "t").refusal()
    assert "pip install 'featviz[parquet]'" in line
    assert tree(tmp_path) == {}
