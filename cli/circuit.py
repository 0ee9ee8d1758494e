"""`featviz circuit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import (
    data_options,
    force_option,
    images_option,
    load_model,
    model_options,
    store_option,
)
from cli.output import (
    json_option,
    print_json,
    print_line,
    print_message,
    print_summary,
    print_table,
)
from cli.patching_options import metric_options
from cli.paths import PATH
from cli.progress import loading_pytorch, progress_bar
from featviz.models.loading.options import LoadOptions
from patching.settings import CORRUPTIONS

if TYPE_CHECKING:
    from patching.circuits.report import Report

SHOWN = 20
"""Maximum number of edges in the printed table."""


@click.command()
@model_options
@data_options
@images_option(4)
@store_option
@click.option(
    "--corrupt",
    required=True,
    metavar="NAME",
    help=f"Corruption of the images: {', '.join(CORRUPTIONS)}.",
)
@metric_options("logit_difference", "Metric whose change a circuit explains;")
@click.option(
    "--region",
    default="",
    metavar="TOKENS",
    help="Tokens that are a group of their own, next to prefix tokens and other patches: a "
    "rectangle of patches 0-3x2-5 (rows, columns), or indices.",
)
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Steps of integrated gradients; 0 for one gradient of the clean run.",
)
@click.option(
    "--drawing",
    type=PATH,
    metavar="FILE",
    help="Draw the smallest circuit that keeps 80 % of the effect, as SVG.",
)
@force_option
@json_option
def circuit(
    model: str,
    data: str,
    download: bool,
    skip_unreadable: bool,
    corrupt: str,
    metric: str | None,
    direction: str | None,
    region: str,
    steps: int,
    drawing: str | None,
    images: int | None,
    store: str,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
) -> None:
    """Find the circuit that carries a cue.

    Corrupts images so that they lose a cue, and scores every edge from a head, an MLP or the
    embedding to the queries, keys or values of a head, an MLP or the logits, by attribution
    patching with integrated gradients (EAP-IG) on half of the images. On the other half it runs
    circuits of growing size alone, everything else corrupted, next to circuits of whole components
    and random ones: the faithfulness is the share of the effect that a circuit keeps. The effects
    of the strongest edges are checked by exact path patching.

    \b
    Example:
      featviz circuit cueworld/vit --data cueworld:360 --corrupt grayscale -o color
    """
    with loading_pytorch():
        from featviz._util.files import new_file, write
        from featviz.data.datasets import open_data
        from patching.circuits.job import Settings, circuits_to_store
        from patching.circuits.report import read_report
        from patching.effects.metrics import metric_for
        from patching.interventions.corruptions import corruption
        from patching.plots.circuit_drawing import draw_circuit

    if drawing is not None:
        new_file(drawing)
    parsed = corruption(corrupt)
    loaded = load_model(model, options, device)
    dataset = open_data(data, download, skip_unreadable)
    metric, along = metric_for(loaded, metric, direction, "logit_difference")
    settings = Settings(parsed, metric, steps, direction=along, region=region)
    with progress_bar() as progress:
        summary = circuits_to_store(loaded, dataset, settings, store, images, force, progress)
    print_summary(store, summary, "images run")
    found = read_report(store)
    if drawing is not None:
        write(Path(drawing), draw_circuit(store).encode())
        print_message(drawing)
    if not found.has_effect:
        interval = f"{found.low:.4g} to {found.high:.4g}"
        print_message(
            f"warning: the total effect is not distinct from 0 ({interval}), so shares of it mean "
            "nothing: choose another corruption or metric, or more images"
        )
    if as_json:
        print_json({"store": store, **found.to_json()})
        return
    effect = f"{found.total:.4g} ({found.low:.4g} to {found.high:.4g})"
    print_line(f"{found.edges} edges, scored on {found.scored} images, tested on {found.tested}")
    print_line(f"total effect on the {metric.replace('_', ' ')}: {effect}")
    print_line()
    print_table(_curve_rows(found))
    print_line()
    print_table(_edge_rows(found))


def _curve_rows(found: Report) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [("edges", *(each.method for each in found.curves))]
    for points in zip(*(each.points for each in found.curves), strict=True):
        cells = (f"{p.faithfulness:.2f} ({p.low:.2f} to {p.high:.2f})" for p in points)
        rows.append((points[0].count, *cells))
    rows.append(("area (CPR)", *(f"{each.cpr:.3f}" for each in found.curves)))
    rows.append(("area to 1 (CMD)", *(f"{each.cmd:.3f}" for each in found.curves)))
    sizes = ("none" if each.size is None else str(each.size) for each in found.curves)
    rows.append(("edges for 80 %", *sizes))
    return rows


def _edge_rows(found: Report) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [("edge", "score", "effect", "from", "to")]
    for each in found.strongest[:SHOWN]:
        numbers = (each.score, each.effect, each.low, each.high)
        rows.append((each.name, *(f"{n:.4g}" if n is not None else "" for n in numbers)))
    return rows
