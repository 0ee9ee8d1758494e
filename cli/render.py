"""`featviz render`."""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    batch_option,
    force_option,
    load_model,
    model_options,
    recipe_for,
    recipe_options,
    setting_options,
    store_option,
)
from cli.output import finish, json_option, print_json, print_line, print_message
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions
from featviz.optimization.settings import ENGINE_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featviz.addressing.address import Unit
    from featviz.models.vision_model import VisionModel


class Shard(click.ParamType[tuple[int, int]]):
    """The text ``I/N``."""

    name = "I/N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Parse ``I/N`` with 0 <= I <= N; ``N/N`` is ``0/N``."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", str(value))
        index, count = map(int, match.groups()) if match else (1, 0)
        if not index <= count or not count:
            self.fail(f"expected I/N, such as 0/4, 1/4, 2/4 or 3/4, got {value!r}", param, ctx)
        return index, count


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@store_option
@recipe_options
@setting_options("split_qk")
@batch_option
@click.option(
    "--shard",
    type=Shard(),
    default="0/1",
    help="Render only every N-th unit, starting from unit I, to split a job over processes or "
    "machines. I counts from 0 or from 1.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINE_NAMES),
    default="local",
    show_default=True,
    help="Render in this process, or on a Ray cluster.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Workers of --engine ray.  [default: one per GPU, or per core without GPUs]",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only print the number of images and estimates of their size and the time.",
)
@force_option
@json_option
def render(
    model: str,
    selectors: tuple[str, ...],
    store: str,
    batch: int | None,
    shard: tuple[int, int],
    engine: str,
    workers: int | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
    **settings: Any,
) -> None:
    """Render images that maximize the activation of units.

    Optimizes an image for each unit, and stores it with its activation. Units that the store
    already holds are skipped, so running the command again resumes it.

    \b
    Examples:
      # 16 MLP neurons of every block
      featviz render cueworld/vit blocks.all.mlp.fc1:0-15 -o neurons
      # Four different images of one neuron
      featviz render cueworld/vit blocks.9.mlp.fc1:3 -o diverse --samples 4
      # A neuron at each of 16 tokens; only print what there is to do
      featviz render cueworld/vit blocks.6.mlp.fc1:5@1-16 -o tokens --dry-run
      # A class, by MaCo with the spectrum of a dataset
      featviz render cueworld/vit head:3 -o maco --param maco --spectrum cueworld
      # Attention logits: an image for the query and one for the key
      featviz render cueworld/vit blocks.3.attn.qk:all@same -o heads --split-qk
      # A weighted sum: class 3 minus half of class 7
      featviz render cueworld/vit head:3+-0.5~head:7 -o sums
      # Latents of a sparse autoencoder, at the patch where they are largest
      featviz render vit_base_patch32_224 sae.x:0-7@max -o x --sae x=PATH
      # The first of four processes that share a job
      featviz render deit_small_patch16_224 patch_embed:all -o filters --shard 0/4
      # Two workers of a Ray cluster
      featviz render cueworld/vit head:all -o all --engine ray --workers 2
    """
    if workers is not None and engine == "local":
        raise click.UsageError("--workers requires --engine ray")
    if engine == "ray" and device != "auto":
        raise click.UsageError("--device requires --engine local: Ray assigns devices to workers")
    if engine == "ray" and dry_run:
        raise click.UsageError("--dry-run requires --engine local: it measures this machine")
    loaded = load_model(model, options, device)

    from featviz.addressing.selectors import units
    from featviz.rendering.engine import make_engine
    from featviz.rendering.job import plan, render_to_store
    from featviz.rendering.time_estimate import estimate_seconds

    chosen = units(loaded, *selectors)
    recipe = recipe_for(loaded, store, **settings)
    if dry_run:
        todo = plan(loaded, chosen, recipe, store, batch, shard, force)
        _suggest_tokens(loaded, chosen)
        report = {
            "units": sum(map(len, todo.batches)),
            "done": todo.done,
            "pictures": todo.pictures,
            "batches": len(todo.batches),
            "bytes": todo.bytes,
            "seconds": round(estimate_seconds(loaded, todo.batches, recipe)),
        }
        if as_json:
            print_json(report)
        else:
            print_line("\n".join(f"{name:9}{value:>12,}" for name, value in report.items()))
        return
    made = make_engine(engine, workers)
    # Ray reports workers that died on stdout.
    with redirect_stdout(sys.stderr), progress_bar() as progress:
        summary = render_to_store(
            loaded, chosen, recipe, store, batch, shard, force, progress, made
        )
    _suggest_tokens(loaded, chosen)
    if as_json:
        counts = {"store": store, "rendered": summary.stored, "done": summary.done}
        print_json({**counts, "failures": summary.failures, "constants": summary.constants})
    finish(store, summary, "units rendered")


def _suggest_tokens(model: VisionModel, chosen: Sequence[Unit]) -> None:
    """Say on stderr which latents are means over patches, and which token is usually better."""
    from featviz.activations.latent_ranks import is_latent

    means = [unit for unit in chosen if is_latent(model, unit) and unit.token is None]
    if means:
        sae = model.site(means[0].site).sae
        token = "cls" if sae is not None and sae.origin.tokens == "cls" else "max"
        more = f" and {len(means) - 1} more" if len(means) > 1 else ""
        print_message(
            f"mean over patches: {means[0]}{more}; latents fire on few tokens, so "
            f"{means[0]}@{token} usually renders better"
        )
