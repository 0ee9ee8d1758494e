"""`featviz info`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.output import json_option, print_json, print_line
from cli.paths import PATH
from featviz._util.printable import printable

GAP = 2
"""Spaces between the longest name and its value."""


@click.command()
@click.argument("store", type=PATH)
@json_option
def info(store: str, as_json: bool) -> None:
    """Show what a store contains.

    Prints the model, the number of rows of each kind of result, the settings they were made
    with, the units that failed, and those whose activation is constant.

    \b
    Examples:
      featviz info neurons
      featviz info neurons.h5 --json
    """
    from featviz.store.reader import Store

    facts = Store(store).info()
    if as_json:
        print_json(facts)
        return
    failures, configuration = facts.pop("failures"), facts.pop("configuration")
    constants = facts.pop("constants")
    rows = [
        *facts.items(),
        *(row for kind, each in configuration.items() for row in _settings(kind, each)),
        *(("failed", f"{address}: {reason}") for address, reason in failures.items()),
        *(("constant", f"{address}: {reason}") for address, reason in constants.items()),
    ]
    width = max(len(name) for name, _ in rows) + GAP
    for name, value in rows:
        print_line(printable(f"{name:{width}}{value}".rstrip()))


def _settings(kind: str, settings: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Make the rows of the configuration of a kind: a heading, and indented settings."""
    yield f"{kind}:", ""
    for name, value in settings.items():
        yield f"  {name}", value
