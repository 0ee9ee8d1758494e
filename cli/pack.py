"""`featviz pack`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.output import counts

if TYPE_CHECKING:
    pass


@click.command()
@click.argument("store")
@click.argument("file", metavar="FILE.h5")
def pack(store: str, file: str) -> None:
    """Pack a store into a single HDF5 file.

    Commands that read a store accept the file like the folder. An existing file is not
    overwritten.

    \b
    Example:
      featviz pack neurons neurons.h5
    """
    from featviz.store.packing import pack as pack_store
    from featviz.store.reader import Store

    opened = Store(store)
    pack_store(opened, file)
    click.echo(f"{file}: {counts(opened)}", err=True)
