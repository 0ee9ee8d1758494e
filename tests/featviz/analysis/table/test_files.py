from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from featviz.analysis.table.columns import COLUMNS, Value
from featviz.analysis.table.files import save_csv, save_parquet, write_csv
from featviz.errors import FeatvizError

SAVE = pytest.mark.parametrize("save", [save_csv, save_parquet])
Save = Callable[[Any, Path], int]


def row(**values: Value) -> dict[str, Value]:
    return dict.fromkeys(COLUMNS) | values


ROWS = [
    row(address="a:1", samples=2, activation=float(np.float32(0.1)), converged=True),
    row(address="b:2", top_class='crane, "bird"\n=1+1', activation=1 / 3, converged=False),
]


def test_csv_quotes_after_rfc_4180() -> None:
    output = io.StringIO(newline="")
    assert write_csv(ROWS, output) == 2
    text = output.getvalue()
    assert text.startswith("address,layer,")
    assert text.count("\r\n") == 3
    assert ',"crane, ""bird""\n=1+1",' in text
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [each["top_class"] for each in read] == ["", 'crane, "bird"\n=1+1']
    assert [each["converged"] for each in read] == ["true", "false"]


def test_csv_has_the_shortest_numbers_that_read_back_as_the_same_float32() -> None:
    output = io.StringIO(newline="")
    write_csv(ROWS, output)
    output.seek(0)
    read = [each["activation"] for each in csv.DictReader(output)]
    assert read[0] == "0.1"
    assert np.float32(read[1]) == np.float32(1 / 3)


def test_parquet_keeps_values_types_and_nulls(tmp_path: Path) -> None:
    assert save_parquet(ROWS, tmp_path / "new" / "t.parquet") == 2
    table = parquet.read_table(tmp_path / "new" / "t.parquet")
    assert table.to_pylist() == ROWS
    kinds = {str: "string", int: "int64", float: "double", bool: "bool"}
    expected = {name: kinds[column.kind] for name, column in COLUMNS.items()}
    assert {field.name: str(field.type) for field in table.schema} == expected


@SAVE
def test_equal_tables_are_equal_files(save: Save, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(ROWS, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@SAVE
def test_an_error_while_reading_leaves_no_file(save: Save, tmp_path: Path) -> None:
    def damaged() -> Iterator[dict[str, Value]]:
        yield ROWS[0]
        raise FeatvizError("damaged")

    with pytest.raises(FeatvizError, match="damaged"):
        save(damaged(), tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


@SAVE
def test_an_existing_file_is_not_overwritten(save: Save, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FeatvizError, match="is not overwritten"):
        save(ROWS, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"
