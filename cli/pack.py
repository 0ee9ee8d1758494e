"""`featviz pack`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cli.output import counts, json_option, print_json, print_message
from cli.paths import PATH
from featviz.errors import FeatvizError


@click.command()
@click.argument("store", type=PATH)
@click.argument("file", type=PATH, metavar="FILE.h5")
@json_option
def pack(store: str, file: str, as_json: bool) -> None:
    """Pack a store into a single HDF5 file.

    Commands that read a store accept the file like the folder. Missing folders on the way to the
    file are made; an existing file is not overwritten.

    \b
    Example:
      featviz pack neurons neurons.h5
    """
    from featviz.store.packing import pack as pack_store
    from featviz.store.reader import Store

    opened = Store(store)
    if file.endswith(os.sep) or os.path.isdir(file):  # noqa: PTH112 - of a name too long, False
        example = Path(file, f"{opened.path.resolve().stem}.h5")
        raise FeatvizError(f"{file} is a folder; give the name of a file, such as {example}")
    pack_store(opened, file)
    if as_json:
        rows = {kind: len(opened.addresses(kind)) for kind in opened.kinds}
        print_json({"file": file, "rows": rows, "bytes": Path(file).stat().st_size})
    print_message(f"{file}: {counts(opened)}")
