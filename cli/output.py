"""Printing of results, and the end of a command."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import TYPE_CHECKING

import click

from featviz._util.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featviz.store.jobs import JobSummary
    from featviz.store.reader import Store

SOME_FAILED = 3
"""Exit status of a command that finished although some of its units failed."""

NAMED = 20
"""Units that one line names."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")


def print_line(text: str = "") -> None:
    """Print a line of results on stdout.

    Parameters
    ----------
    text : str
        Printed as it is; see `printable` for names that users chose.
    """
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_message(text: object) -> None:
    """Print a line on stderr that is not a result.

    Parameters
    ----------
    text : object
        Its `str` is made `printable`.
    """
    sys.stderr.write(f"{printable(str(text))}\n")
    sys.stderr.flush()


def print_json(value: object) -> None:
    """Print a value as JSON on stdout.

    Parameters
    ----------
    value : object
        Of types that `json.dumps` accepts.
    """
    print_line(json.dumps(value, indent=2))


def print_table(rows: list[tuple[object, ...]]) -> None:
    """Print aligned columns on stdout, numbers to the right and rounded to four digits.

    Parameters
    ----------
    rows : list of tuple
        Rows of equal length; the first one has the headings.
    """
    texts = [
        [f"{cell:.4g}" if isinstance(cell, float) else printable(str(cell)) for cell in row]
        for row in rows
    ]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    lines = []
    for row, cells in zip(rows, texts, strict=True):
        spaces = [" " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)]
        aligned = [
            space + cell if isinstance(value, int | float) else cell + space
            for value, cell, space in zip(row, cells, spaces, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    print_line("\n".join(lines))


def _width(text: str) -> int:
    """Count the columns of a terminal that a text takes: two for a Chinese character."""
    return sum(
        0
        if unicodedata.category(each) in {"Mn", "Me", "Cf"}
        else 2
        if unicodedata.east_asian_width(each) in {"W", "F"}
        else 1
        for each in text
    )


def print_summary(store: str | Path, summary: JobSummary, what: str) -> None:
    """Print on stderr what a job did: failures, constant units, unreadable images, and counts.

    Parameters
    ----------
    store : str or Path
    summary : JobSummary
    what : str
        What was stored, such as ``units rendered``.
    """
    for address, reason in summary.failures.items():
        print_message(f"failed: {address}: {reason}")
    for reason in dict.fromkeys(summary.constants.values()):
        units = [address for address, own in summary.constants.items() if own == reason]
        print_message(f"constant: {named(units)}: {reason}")
    print_unreadable(summary.unreadable)
    counts = f"{summary.stored} {what}, {summary.done} already stored"
    print_message(f"{store}: {counts}, {len(summary.failures)} failed")


def named(names: Sequence[str]) -> str:
    """List `names` for one line: at most `NAMED`, and how many there are besides."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def print_unreadable(names: Sequence[str]) -> None:
    """Print on stderr which images of a dataset were left out, if any.

    Parameters
    ----------
    names : sequence of str
    """
    if names:
        print_message(f"unreadable: {len(names)} images are left out: {named(names)}")


def finish(store: str | Path, summary: JobSummary, what: str) -> None:
    """End a command: print what its job did, and exit with status 3 if units failed.

    Parameters
    ----------
    store, summary, what
        See `print_summary`.
    """
    print_summary(store, summary, what)
    click.get_current_context().exit(SOME_FAILED if summary.failures else 0)


def counts(store: Store) -> str:
    """Count the rows of a store by kind, such as ``10 renders, 4 sides``.

    Parameters
    ----------
    store : Store
    """
    return ", ".join(f"{len(store.addresses(kind))} {kind}" for kind in store.kinds) or "no rows"
