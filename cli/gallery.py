"""`featviz gallery`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from cli.options import MultiImageCommand
from cli.output import SOME_FAILED, json_option, print_json, print_line, print_message
from cli.paths import FILE, PATH

if TYPE_CHECKING:
    from gallery.build.size_estimate import Estimate
    from gallery.exporter import Exported

FORMS = ("webp", "avif")
"""Image formats; see `gallery.build.images.FORMATS`."""


@click.command(cls=MultiImageCommand)
@click.argument("stores", type=PATH, nargs=-1, required=True, metavar="STORE...")
@click.option(
    "-o",
    "--output",
    "folder",
    type=PATH,
    required=True,
    metavar="DIR",
    help="Folder of the website.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="SELECTOR",
    help="Show only these units; may be repeated.  [default: all]",
)
@click.option("--thumbnails-only", is_flag=True, help="Leave out the full-size images.")
@click.option(
    "--pictures",
    type=click.Choice(FORMS),
    default="webp",
    show_default=True,
    help="Format of the full-size images; avif has truer colors and takes four times as long.",
)
@click.option(
    "--labels",
    type=FILE,
    metavar="FILE",
    help="Show the labels and lists of a JSON file that a gallery page exported.",
)
@click.option(
    "--image",
    "images",
    type=FILE,
    multiple=True,
    metavar="FILE...",
    help="Show which units respond to these image files, and where. After STORE. Loads the models.",
)
@click.option(
    "--serve",
    "serving",
    is_flag=True,
    help="Afterwards, serve the folder on 127.0.0.1 until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="Port of --serve; 0 chooses a free one.",
)
@json_option
def gallery(
    stores: tuple[str, ...],
    folder: str,
    include: tuple[str, ...],
    thumbnails_only: bool,
    pictures: str,
    labels: str | None,
    images: tuple[str, ...],
    serving: bool,
    port: int,
    as_json: bool,
) -> None:
    """Build a static website from stores.

    Prints the path of the page to open; it needs no server and no network. Exporting again into
    the same folder updates what has changed.

    \b
    Examples:
      # One store
      featviz gallery neurons -o site
      # Several stores on one site, with labels
      featviz gallery neurons diverse tokens.h5 -o site --labels labels.json
      # Only the neurons of four blocks
      featviz gallery neurons -o site --include blocks.0-3.mlp.fc1:all
      # Which units respond to two of your images, and where
      featviz gallery neurons -o site --image cat.jpg dog.jpg
      # View it from another port
      featviz gallery neurons -o site --serve --port 8080
    """
    from tqdm import tqdm

    from gallery import export
    from gallery.serve import serve

    estimates: list[Estimate] = []

    def announce(estimate: Estimate) -> None:
        estimates.append(estimate)
        print_message(estimate)

    exported = export(
        stores,
        folder,
        partial(tqdm, unit=" rows"),
        include=include,
        thumbnails_only=thumbnails_only,
        pictures=pictures,
        labels=labels,
        images=images,
        announce=announce,
    )
    for line in (
        *exported.remarks,
        *exported.unread,
        *(f"damaged: {warning}" for warning in exported.warnings),
    ):
        print_message(line)
    if as_json:
        print_json(_report(exported, estimates))
    else:
        print_line(str(exported.page))
    if serving:
        serve(folder, port, print_message)
    click.get_current_context().exit(SOME_FAILED if exported.warnings or exported.unread else 0)


def _report(exported: Exported, estimates: list[Estimate]) -> dict[str, object]:
    return {
        **asdict(exported),
        "page": str(exported.page),
        "warnings": list(exported.warnings),
        "remarks": list(exported.remarks),
        "unread": list(exported.unread),
        "estimate": asdict(estimates[0]) if estimates else None,
    }
