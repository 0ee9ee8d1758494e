"""`featviz info`, `featviz verify` and `featviz pack`."""

from __future__ import annotations

import click

from cli.output import json_option, print_json
from featviz.errors import FeatvizError
from featviz.store.packing import pack as pack_store
from featviz.store.reader import Store


@click.command()
@click.argument("store")
@json_option
def info(store: str, as_json: bool) -> None:
    """Tell what a store holds, a folder or a packed file.

    \b
    featviz info neurons
    featviz info neurons.h5 --json
    """
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


@click.command()
@click.argument("store")
@json_option
def verify(store: str, as_json: bool) -> None:
    """Read every byte of a store and compare it with what was written.

    Problems are listed, one a line, and the exit status is 1 if there are any.

    \b
    featviz verify neurons
    """
    opened = Store(store)
    problems = opened.verify()
    if as_json:
        print_json({"store": store, "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
    if problems:
        raise FeatvizError(f"{store} has {len(problems)} damaged parts")
    click.echo(f"{store}: all is well, {_told(opened)}", err=True)


@click.command()
@click.argument("store")
@click.argument("file", metavar="FILE.h5")
def pack(store: str, file: str) -> None:
    """Write a store into one portable HDF5 file, which every command reads like a folder.

    \b
    featviz pack neurons neurons.h5
    """
    opened = Store(store)
    pack_store(opened, file)
    click.echo(f"{file}: {_told(opened)}", err=True)


def _told(store: Store) -> str:
    """Count what a store holds, such as ``10 renders, 4 sides``."""
    return ", ".join(f"{len(store.addresses(kind))} {kind}" for kind in store.kinds) or "nothing"
