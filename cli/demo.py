"""`featviz demo`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from cli.options import load_model
from cli.output import SOME_FAILED, json_option, print_json, print_line, print_summary
from cli.paths import PATH
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions

MODEL = "cueworld/vit"
STEPS = 192
STORES = (
    ("neurons", ("blocks.all.mlp.fc1:0-7",), 1),
    ("diverse", ("blocks.3,6,9,11.mlp.fc1:3",), 4),
    ("tokens", ("blocks.8.mlp.fc1:2@cls", "blocks.8.mlp.fc1:2@1,8,28,37,57,64"), 1),
    ("heads", ("blocks.1,4,7,10.attn.qk:all@same",), 1),
)
"""Name, selectors, and images per unit of each store."""

DATA = "cueworld:720"
"""Natural images that the pictures are compared with."""

CORRUPTION = "grayscale"
TRACED = 96
"""Images whose color is restored in one head at a time."""


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    type=PATH,
    default="demo",
    show_default=True,
    metavar="DIR",
    help="Folder for the stores and the gallery.",
)
@json_option
def demo(folder: str, as_json: bool) -> None:
    """Render neurons and heads, and build a gallery.

    The pictures are compared with natural images and scored, the logits that the neurons write to
    are computed, and activation patching finds the heads that carry color. Takes a few minutes on
    a CPU and downloads nothing. Prints the path of the page to open.

    \b
    Example:
      featviz demo -o demo
    """
    model = load_model(MODEL, LoadOptions(), "auto")

    from tqdm import tqdm

    from featviz.addressing.selectors import units
    from featviz.analysis.examples.job import examples_to_store
    from featviz.analysis.logits.job import logits_to_store
    from featviz.analysis.scores.job import scores_to_store
    from featviz.data.datasets import open_data
    from featviz.optimization.recipe import make_recipe
    from featviz.rendering.job import keep_defaults, render_to_store
    from gallery import export
    from patching.interventions.corruptions import corruption
    from patching.interventions.selection import Selection
    from patching.sweeps.job import Settings, trace_to_store

    data = open_data(DATA)
    reports: list[dict[str, Any]] = []
    for name, selectors, samples in STORES:
        store = Path(folder, name)
        recipe = keep_defaults(model, make_recipe(model, samples=samples, steps=STEPS), store)
        chosen = units(model, *selectors)
        with progress_bar(f"{name}: ") as progress:
            summary = render_to_store(model, chosen, recipe, store, progress=progress)
        print_summary(store, summary, "units rendered")
        with progress_bar(f"{name}, natural images: ") as progress:
            examples_to_store(model, chosen, data, store, progress=progress)
        with progress_bar(f"{name}, scores: ") as progress:
            scores_to_store(model, store, progress=progress)
        counted = {"store": str(store), "rendered": summary.stored, "done": summary.done}
        reports.append({**counted, "failures": summary.failures, "constants": summary.constants})
        if name == "neurons":
            logits_to_store(model, chosen, store)
    settings, traces = Settings(Selection("head"), corruption(CORRUPTION)), Path(folder, "traces")
    with progress_bar("traces: ") as progress:
        summary = trace_to_store(model, data, settings, traces, TRACED, progress=progress)
    print_summary(traces, summary, "images traced")
    stores = [*(each["store"] for each in reports), str(traces)]
    exported = export(stores, Path(folder, "gallery"), partial(tqdm, unit=" units"))
    if as_json:
        print_json({"page": str(exported.page), "stores": reports})
    else:
        print_line(str(exported.page))
    click.get_current_context().exit(
        SOME_FAILED if any(each["failures"] for each in reports) else 0
    )
