"""`featviz export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.output import json_option, print_json, print_message
from cli.paths import FILE, PATH

STDOUT = "-"


@click.command()
@click.argument("store", type=PATH)
@click.option("--csv", "csv", type=FILE, metavar="FILE", help="Write a CSV file; - is stdout.")
@click.option(
    "--parquet",
    type=FILE,
    metavar="FILE",
    help="Write a Parquet file; needs pyarrow (pip install 'featviz[parquet]').",
)
@json_option
def export(store: str, csv: str | None, parquet: str | None, as_json: bool) -> None:
    """Export a table of the units in a store.

    The table has one row for each unit, with its address, metrics, natural images, top class,
    headline, and the effects and claims of its causal tests. Unknown values are empty. Missing
    folders on the way to the file are made; an existing file is not overwritten.

    \b
    Examples:
      featviz export neurons --csv neurons.csv
      # Count the units of each layer
      featviz export neurons --csv - | cut -d, -f2 | sort | uniq -c
      featviz export neurons.h5 --parquet neurons.parquet
    """
    if (csv is None) == (parquet is None):
        raise click.UsageError("give one of --csv FILE and --parquet FILE")
    if parquet == STDOUT:
        raise click.UsageError("--parquet -: expected a file; only CSV is written to stdout")
    if csv == STDOUT and as_json:
        raise click.UsageError("--json cannot be combined with --csv -: both write to stdout")

    from featviz.analysis.table.columns import COLUMNS, unit_rows
    from featviz.analysis.table.files import save_csv, save_parquet, write_csv
    from featviz.store.reader import Store

    rows = unit_rows(Store(store))
    if csv == STDOUT:
        count, file = write_csv(rows, sys.stdout), "stdout"
    elif csv is not None:
        count, file = save_csv(rows, csv), csv
    else:
        assert parquet is not None
        count, file = save_parquet(rows, parquet), parquet
    if as_json:
        size = Path(file).stat().st_size
        print_json({"file": file, "units": count, "columns": list(COLUMNS), "bytes": size})
    print_message(f"{file}: {count} units, {len(COLUMNS)} columns")
