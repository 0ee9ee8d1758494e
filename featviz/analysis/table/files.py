"""The table of units as a CSV or Parquet file."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from featviz._util.files import new_file, replacing
from featviz.analysis.table.columns import COLUMNS, Value
from featviz.errors import FeatvizError

GROUP = 10_000
"""Rows of a row group of a Parquet file."""


def write_csv(rows: Iterable[Mapping[str, Value]], output: TextIO) -> int:
    """Write the table as CSV after RFC 4180: lines end with CRLF, quotes in text are doubled.

    Unknown values are empty, booleans are ``true`` and ``false``, and numbers have the fewest
    digits that read back as the same float32. Text is written as it is.

    Parameters
    ----------
    rows : iterable of mapping
        See `featviz.analysis.table.columns.unit_rows`.
    output : text file
        Opened with ``newline=""``.

    Returns
    -------
    int
        Number of rows, without the header.
    """
    writer = csv.writer(output)
    writer.writerow(COLUMNS)
    count = 0
    for row in rows:
        writer.writerow(_text(row[name]) for name in COLUMNS)
        count += 1
    return count


def save_csv(rows: Iterable[Mapping[str, Value]], path: str | Path) -> int:
    """Write the table to a new CSV file, atomically; see `write_csv`.

    Parameters
    ----------
    rows : iterable of mapping
        See `featviz.analysis.table.columns.unit_rows`.
    path : str or Path
        The new file. Missing parents are made.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    FeatvizError
        If the file exists, or the operating system refuses.
    """
    path = new_file(path)
    with (
        replacing(path) as descriptor,
        open(descriptor, "w", encoding="utf-8", newline="", closefd=False) as output,
    ):
        return write_csv(rows, output)


def save_parquet(rows: Iterable[Mapping[str, Value]], path: str | Path) -> int:
    """Write the table to a new Parquet file, atomically, with one row group in memory at a time.

    Parameters
    ----------
    rows : iterable of mapping
        See `featviz.analysis.table.columns.unit_rows`.
    path : str or Path
        The new file. Missing parents are made.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    FeatvizError
        If pyarrow is not installed, the file exists, or the operating system refuses.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra, and slow to import
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise FeatvizError(
            "Parquet files need pyarrow, which is not installed: pip install 'featviz[parquet]'"
        ) from error
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[column.kind]) for name, column in COLUMNS.items()])
    path = new_file(path)
    count = 0
    with (
        replacing(path) as descriptor,
        open(descriptor, "wb", closefd=False) as output,
        parquet.ParquetWriter(output, schema) as writer,
    ):
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema))
            count += len(group)
    return count


def _groups(rows: Iterable[Mapping[str, Value]]) -> Iterator[list[Mapping[str, Value]]]:
    iterator = iter(rows)
    while group := list(itertools.islice(iterator, GROUP)):
        yield group


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(np.float32(value)) if isinstance(value, float) else str(value)
