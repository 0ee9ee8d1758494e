"""`featviz gallery`."""

from __future__ import annotations

from functools import partial

import click
from tqdm import tqdm

from gallery import export


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE...")
@click.option("-o", "--output", "folder", required=True, metavar="DIR", help="The site's folder.")
def gallery(stores: tuple[str, ...], folder: str) -> None:
    """Export stores as a static site that opens from disk, and print the page to open.

    \b
    featviz gallery neurons -o site
    featviz gallery neurons diverse tokens.h5 -o site
    """
    click.echo(export(stores, folder, partial(tqdm, unit=" units")))
