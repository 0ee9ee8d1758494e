"""`featviz gallery`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click
from tqdm import tqdm

from cli.output import SOME_FAILED, json_option, print_json
from gallery import export
from gallery.build.images import FORMS
from gallery.build.size_estimate import Estimate
from gallery.exporter import Exported
from gallery.serve import serve


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE...")
@click.option("-o", "--output", "folder", required=True, metavar="DIR", help="The site's folder.")
@click.option(
    "--include",
    multiple=True,
    metavar="SELECTOR",
    help="Only these units; may be given several times.",
)
@click.option("--thumbnails-only", is_flag=True, help="Leave the large pictures out.")
@click.option(
    "--pictures", type=click.Choice(list(FORMS)), default="webp", show_default=True, help="Format."
)
@click.option("--labels", metavar="FILE", help="Labels that a page exported, to show to all.")
@click.option("--serve", "serving", is_flag=True, help="Serve it to this machine until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="For --serve; 0 takes any that is free.",
)
@json_option
@click.pass_context
def gallery(
    ctx: click.Context,
    stores: tuple[str, ...],
    folder: str,
    include: tuple[str, ...],
    thumbnails_only: bool,
    pictures: str,
    labels: str | None,
    serving: bool,
    port: int,
    as_json: bool,
) -> None:
    """Export stores as a static site that opens from disk, and print the page to open.

    Into the folder of a gallery, only what has changed is made again.

    \b
    featviz gallery neurons -o site
    featviz gallery neurons diverse tokens.h5 -o site --labels labels.json
    featviz gallery neurons -o site --include blocks.0-3.mlp.fc1:all --thumbnails-only
    featviz gallery neurons -o site --serve --port 8080
    """
    estimates: list[Estimate] = []

    def announce(found: Estimate) -> None:
        estimates.append(found)
        click.echo(found, err=True)

    exported = export(
        stores,
        folder,
        partial(tqdm, unit=" rows"),
        include=include,
        thumbnails_only=thumbnails_only,
        pictures=pictures,
        labels=labels,
        announce=announce,
    )
    # An address can hold anything, and acts on a terminal only if it is printed.
    for line in (*exported.remarks, *(f"damaged: {warning}" for warning in exported.warnings)):
        click.echo("".join(c if c.isprintable() else "?" for c in line), err=True)
    if as_json:
        print_json(_report(exported, estimates))
    else:
        click.echo(exported.page)
    if serving:
        serve(folder, port, partial(click.echo, err=True))
    ctx.exit(SOME_FAILED if exported.warnings else 0)


def _report(exported: Exported, estimates: list[Estimate]) -> dict[str, object]:
    lines = {"warnings": list(exported.warnings), "remarks": list(exported.remarks)}
    told = asdict(exported) | {"page": str(exported.page), **lines}
    return told | {"estimate": asdict(estimates[0]) if estimates else None}
