"""What commands print, and how they end."""

from __future__ import annotations

import json

import click

SOME_FAILED = 3
"""Exit status of a command that finished, but could not do some of its units."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    click.echo(json.dumps(value, indent=2))


def print_table(rows: list[tuple[object, ...]]) -> None:
    """Print rows in aligned columns, numbers to the right; the first row holds the headings."""
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
