"""`featviz demo`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from cli.output import SOME_FAILED
from cli.progress import picture_bar
from cli.render import tell
from featviz.addressing.selectors import units
from featviz.models.load import load
from featviz.optimization.recipe import make_recipe
from featviz.rendering.plan import keep_precision
from featviz.rendering.render import render_to_store
from gallery import export

MODEL = "cueworld/vit"
STEPS = 192
# Of each store: its name, the selectors, and the samples of each unit.
STORES = (
    ("neurons", ("blocks.all.mlp.fc1:0-7",), 1),
    ("diverse", ("blocks.3,6,9,11.mlp.fc1:3",), 4),
    ("tokens", ("blocks.8.mlp.fc1:2@cls", "blocks.8.mlp.fc1:2@1,8,28,37,57,64"), 1),
)


@click.command()
@click.option(
    "-o", "--output", "folder", default="demo", show_default=True, metavar="DIR", help="A folder."
)
@click.pass_context
def demo(ctx: click.Context, folder: str) -> None:
    """Render neurons of the bundled vision transformer and make a gallery: a few minutes.

    Prints the page to open. Running it again resumes it.

    \b
    featviz demo -o demo
    """
    model = load(MODEL)
    stores, failed = [], False
    for name, selectors, samples in STORES:
        store = Path(folder, name)
        recipe = keep_precision(model, make_recipe(model, samples=samples, steps=STEPS), store)
        with picture_bar(f"{name}: ") as progress:
            chosen = units(model, *selectors)
            summary = render_to_store(model, chosen, recipe, store, progress=progress)
        tell(store, summary)
        stores.append(store)
        failed |= bool(summary.failures)
    exported = export(stores, Path(folder, "gallery"), partial(tqdm, unit=" units"))
    click.echo(exported.page)
    ctx.exit(SOME_FAILED if failed else 0)
