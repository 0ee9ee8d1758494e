"""`featviz render`."""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from cli.options import (
    force_option,
    load_model,
    model_options,
    recipe_for,
    recipe_options,
    store_option,
)
from cli.output import SOME_FAILED, json_option, print_json
from cli.progress import picture_bar
from featviz.addressing.selectors import units
from featviz.rendering.engine import NAMES, engine_named
from featviz.rendering.plan import plan
from featviz.rendering.render import Summary, render_to_store
from featviz.rendering.time_estimate import estimate


class Shard(click.ParamType[tuple[int, int]]):
    """The text ``I/N``."""

    name = "I/N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read ``I/N`` with 0 <= I <= N."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", str(value))
        number, count = map(int, match.groups()) if match else (1, 0)
        if not number <= count or not count:
            self.fail(f"{value!r} is not I/N, such as 0/4, 1/4, 2/4 and 3/4", param, ctx)
        return number, count


class Batch(click.ParamType[int | None]):
    """``auto`` or a number of pictures."""

    name = "auto|N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Read a number from 1 up; ``auto`` is None."""
        if value == "auto":
            return None
        if not re.fullmatch("[1-9][0-9]{0,8}", str(value)):
            self.fail(f"{value!r} is not auto or a number of pictures", param, ctx)
        return int(str(value))


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@store_option
@recipe_options
@click.option(
    "--split-qk",
    "--sides",
    "split_qk",
    is_flag=True,
    help="Two pictures a logit: one for the query, one for the key.",
)
@click.option("--batch", type=Batch(), default="auto", show_default=True, help="Pictures at once.")
@click.option(
    "--shard", type=Shard(), default="0/1", help="Make every N-th unit only; I counts from 0 or 1."
)
@click.option(
    "--engine",
    type=click.Choice(NAMES),
    default="local",
    show_default=True,
    help="In this process, or by the workers of a Ray cluster.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Of --engine ray; as many as the cluster has GPUs, or cores, if absent.",
)
@click.option("--dry-run", is_flag=True, help="Say what there is to do, and stop.")
@force_option
@json_option
@click.pass_context
def render(
    ctx: click.Context,
    /,
    model: str,
    selectors: tuple[str, ...],
    store: str,
    split_qk: bool,
    batch: int | None,
    shard: tuple[int, int],
    engine: str,
    workers: int | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
    **settings: Any,
) -> None:
    """Render the units that selectors stand for into a store.

    Running the command again resumes it. Several machines share a job by --shard, or as a Ray
    cluster.

    \b
    featviz render cueworld/vit blocks.all.mlp.fc1:0-15 -o neurons
    featviz render cueworld/vit blocks.9.mlp.fc1:3 -o diverse --samples 4
    featviz render cueworld/vit blocks.6.mlp.fc1:5@1-16 -o tokens --dry-run
    featviz render cueworld/vit blocks.9.mlp.fc1:3 -o natural --param maco --spectrum cueworld
    featviz render cueworld/vit blocks.3.attn.qk:all@same -o heads --sides
    featviz render cueworld/vit blocks.3.mlp.fc1:42+-0.5~blocks.3.mlp.fc1:7 -o sums
    featviz render deit_small_patch16_224 patch_embed:all -o filters --shard 0/4
    featviz render cueworld/vit blocks.all.mlp.fc1:all -o all --engine ray --workers 2
    """
    if workers is not None and engine == "local":
        raise click.UsageError("--workers is for --engine ray")
    if engine == "ray" and device != "auto":
        raise click.UsageError("--device is for --engine local: Ray gives each worker its own")
    if engine == "ray" and dry_run:
        raise click.UsageError("--dry-run tells of this machine alone: leave --engine ray out")
    loaded = load_model(model, untrained, arch, device)
    chosen = units(loaded, *selectors)
    recipe = recipe_for(loaded, store, split_qk=split_qk, **settings)
    if dry_run:
        todo = plan(loaded, chosen, recipe, store, batch, shard, force)
        report = {
            "units": sum(map(len, todo.batches)),
            "done": todo.done,
            "pictures": todo.pictures,
            "batches": len(todo.batches),
            "bytes": todo.bytes,
            "seconds": round(estimate(loaded, todo.batches, recipe)),
        }
        if as_json:
            print_json(report)
        else:
            click.echo("\n".join(f"{name:9}{value:>12,}" for name, value in report.items()))
        return
    where = engine_named(engine, workers)
    # Ray tells on stdout of workers that died.
    with redirect_stdout(sys.stderr), picture_bar("") as progress:
        summary = render_to_store(
            loaded, chosen, recipe, store, batch, shard, force, progress, where
        )
    if as_json:
        counts = {"store": store, "rendered": summary.rendered, "done": summary.done}
        failures = {str(unit): reason for unit, reason in summary.failures.items()}
        print_json({**counts, "failures": failures})
    tell(store, summary)
    ctx.exit(SOME_FAILED if summary.failures else 0)


def tell(store: str | Path, summary: Summary) -> None:
    """Tell on stderr what a job has done."""
    for unit, reason in summary.failures.items():
        click.echo(f"failed: {unit}: {reason}", err=True)
    counts = f"{summary.rendered} units rendered, {summary.done} were there"
    click.echo(f"{store}: {counts}, {len(summary.failures)} failed", err=True)
