"""`featviz validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.options import data_options, force_option, load_model_of
from cli.output import SOME_FAILED, json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.analysis.evidence.causal import Effect
from featviz.analysis.evidence.summary import Line, Summary, line_of, summary_of
from featviz.analysis.evidence.unit import Evidence, Evidences
from featviz.analysis.paths.job import paths_to_store
from featviz.analysis.scores.job import scores_to_store, settings_of
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from patching.validation.job import validate_to_store
from patching.vit.residual_vit import residual_vit

SHOWN = 24
"""Neurons in the printed table, at most; --json has all."""


@click.command()
@click.argument("store")
@data_options
@click.option(
    "--images",
    type=click.IntRange(2),
    metavar="N",
    help="Of the data, for the causal tests; 60 of each class if absent, at most 2,000. Every "
    "class needs 30; of more classes than have as many, some are left out.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1")
@force_option
@json_option
@click.pass_context
def validate(
    ctx: click.Context,
    store: str,
    data: str,
    download: bool,
    images: int | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Tell how far to trust the pictures of a store, and test their neurons by intervention.

    Scores every picture, compares its way through the network with that of the unit's natural
    examples, tests whether MLP neurons are necessary and sufficient for a class, and
    reports. What the store holds is not computed again.

    \b
    featviz render cueworld/vit blocks.all.mlp.fc1:0-15 -o neurons
    featviz examples cueworld/vit blocks.all.mlp.fc1:0-15 --data cueworld:5000 -o neurons
    featviz validate neurons --data cueworld
    """
    opened = Store(store)
    if Path(store).is_file():
        raise FeatvizError(f"results go into the folder of a store, and {store} is a packed file")
    model = load_model_of(opened, device)
    failures = _measure(model, opened, data, download, images, force)
    every = Evidences(store)
    lines, units, claimed = list[Line](), list[dict[str, Any]](), list[Evidence]()
    for unit in every:  # once, since every picture is read
        lines.append(line_of(unit))
        if as_json:
            units.append(unit.to_json())
        elif _is_shown(unit):
            claimed.append(unit)
    found = summary_of(every.store.model, lines)
    if as_json:
        report = {"store": store, "summary": found.to_json(), "units": units}
        print_json({**report, "failures": failures})
    else:
        _report(found, claimed)
    for address, reason in failures.items():
        click.echo(f"failed: {address}: {reason}", err=True)
    ctx.exit(SOME_FAILED if failures else 0)


def _measure(
    model: VisionModel, store: Store, data: str, download: bool, images: int | None, force: bool
) -> dict[str, str]:
    """Compute what the store does not hold; return what failed, and why."""
    path, dataset = store.path, open_data(data, download)
    pictures, there = store.addresses(), set(store.addresses("scores"))
    failures: dict[str, str] = {}
    if force or not there.issuperset(pictures):
        # Scores by `featviz score` may be of another spectrum or more seeds, and are as good.
        natural, seeds = (data, 1) if force else settings_of(store, data)
        with picture_bar("scores ") as progress:
            scored = scores_to_store(model, path, natural, seeds, force, progress)
        _tell(path, "scored", scored.scored, scored.done)
        failures |= scored.failures
    else:
        _tell(path, "scored", 0, len(pictures))
    if "examples" in store.kinds:
        with picture_bar("paths ") as progress:
            followed = paths_to_store(model, path, force, progress)
        _tell(path, "followed", followed.followed, followed.done)
        failures |= followed.failures
    else:
        click.echo(
            f"{path}: no natural examples, so no ratios and no paths; "
            f"`featviz examples {model.name} SELECTOR --data {data} -o {path}` adds them",
            err=True,
        )
    try:
        residual_vit(model)
    except FeatvizError as error:
        click.echo(f"{path}: no causal tests: {error}", err=True)
        return failures
    with picture_bar("tests ") as progress:
        tested = validate_to_store(model, path, dataset, images, force=force, progress=progress)
    _tell(path, "validated", tested.validated, tested.done)
    if tested.skipped:
        first, reason = next(iter(tested.skipped.items()))
        click.echo(
            f"{path}: {len(tested.skipped)} units are not tested, such as {first}: {reason}",
            err=True,
        )
    return failures


def _tell(path: Path, what: str, now: int, before: int) -> None:
    click.echo(f"{path}: {now} units {what}, {before} were there", err=True)


def _report(found: Summary, claimed: list[Evidence]) -> None:
    """Print the numbers of all pictures, what share passes, and which neurons are needed."""
    whole = found.overall
    print_table(
        [
            ("number", "units", "5 %", "median", "95 %", "best", "worst"),
            *(
                (
                    name,
                    one.count,
                    *(one.quantiles[at] for at in ("5", "50", "95")),
                    one.best[0][0],
                    one.worst[0][0],
                )
                for name, one in whole.numbers.items()
            ),
        ]
    )
    click.echo()
    print_table(
        [
            ("passes", "units", "of", "share", "by rank"),
            *(
                (name, tally.passed, tally.known, tally.share, whole.by_rank.get(name, ""))
                for name, tally in whole.passes.items()
                if tally.known
            ),
        ]
    )
    claimed = sorted(claimed, key=_effect, reverse=True)
    if claimed:
        click.echo()
        print_table([_HEADINGS, *(_claims(unit) for unit in claimed[:SHOWN])])
    if len(claimed) > SHOWN:
        click.echo(f"{SHOWN} of {len(claimed)} neurons are shown; --json has all", err=True)


_HEADINGS = (
    "neuron",
    "class",
    "necessary",
    "effect",
    "from",
    "to",
    "q",
    "sufficient",
    "effect",
    "q",
    "flags",
)


def _is_shown(unit: Evidence) -> bool:
    return any(unit.claims[name].holds for name in ("necessary", "sufficient") if unit.claims)


def _weaker(unit: Evidence) -> Effect:
    """Pick the smaller effect of its ablations."""
    assert unit.verdict is not None
    effects = (each.effect for each in unit.verdict.removals.values())
    return min(effects, key=lambda effect: effect.estimate)


def _effect(unit: Evidence) -> float:
    return _weaker(unit).estimate


def _claims(unit: Evidence) -> tuple[object, ...]:
    """Tell of a neuron: the weaker of its ablations, and the dose at the 99th percentile."""
    verdict, weaker = unit.verdict, _weaker(unit)
    assert verdict is not None
    necessary, sufficient = (unit.claims[name] for name in ("necessary", "sufficient"))
    failed = [name for name, passed in unit.checks.items() if passed is False]
    return (
        unit.address,
        verdict.label,
        "yes" if necessary.holds else "no",
        weaker.estimate,
        weaker.low,
        weaker.high,
        necessary.q,
        "yes" if sufficient.holds else "no",
        verdict.doses["99"].effect.estimate,
        sufficient.q,
        ", ".join(f"not {name}" for name in failed),
    )
