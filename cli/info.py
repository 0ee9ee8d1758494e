"""`featviz info`."""

from __future__ import annotations

import click

from cli.output import json_option, print_json


@click.command()
@click.argument("store")
@json_option
def info(store: str, as_json: bool) -> None:
    """Show what a store contains.

    Prints the model, the number of rows of each kind of result, the settings they were made
    with, and the units that failed.

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
    for name, value in facts.items():
        click.echo(f"{name:16}{value}")
    for kind, settings in configuration.items():
        click.echo(f"{kind}:")
        for name, value in settings.items():
            click.echo(f"  {name:14}{value}")
    for address, reason in failures.items():
        click.echo(f"failed          {address}: {reason}")
