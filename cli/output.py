"""Printing of results, and the end of a command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from featviz.store.jobs import JobSummary
    from featviz.store.reader import Store

SOME_FAILED = 3
"""Exit status of a command that finished although some of its units failed."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")


def print_json(value: object) -> None:
    """Print a value as JSON on stdout.

    Parameters
    ----------
    value : object
        Of types that `json.dumps` accepts.
    """
    click.echo(json.dumps(value, indent=2))


def print_table(rows: list[tuple[object, ...]]) -> None:
    """Print aligned columns on stdout, numbers to the right and rounded to four digits.

    Parameters
    ----------
    rows : list of tuple
        Rows of equal length; the first one has the headings.
    """
    texts = [
        [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row, cells in zip(rows, texts, strict=True):
        aligned = [
            cell.rjust(width) if isinstance(value, int | float) else cell.ljust(width)
            for value, cell, width in zip(row, cells, widths, strict=True)
        ]
        click.echo("  ".join(aligned).rstrip())


def print_summary(store: str | Path, summary: JobSummary, what: str) -> None:
    """Print on stderr what a job did: its failures, then one line of counts.

    Parameters
    ----------
    store : str or Path
    summary : JobSummary
    what : str
        What was stored, such as ``units rendered``.
    """
    for address, reason in summary.failures.items():
        click.echo(f"failed: {address}: {reason}", err=True)
    counts = f"{summary.stored} {what}, {summary.done} already stored"
    click.echo(f"{store}: {counts}, {len(summary.failures)} failed", err=True)


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
