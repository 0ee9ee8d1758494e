"""`featviz validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    data_options,
    device_option,
    force_results_option,
    load_model_of,
    moved_model_option,
)
from cli.output import (
    SOME_FAILED,
    json_option,
    print_json,
    print_line,
    print_message,
    print_summary,
    print_table,
)
from cli.paths import PATH
from cli.progress import progress_bar

if TYPE_CHECKING:
    from featviz.analysis.evidence.summary import Summary
    from featviz.analysis.evidence.unit_evidence import UnitEvidence
    from featviz.data.datasets import Dataset
    from featviz.models.vision_model import VisionModel
    from featviz.store.reader import Store

SHOWN = 24
"""Maximum number of units in the printed table."""

HEADINGS = (
    "unit",
    "class",
    "necessary",
    "effect",
    "low",
    "high",
    "q",
    "sufficient",
    "effect",
    "q",
    "flags",
)


@click.command()
@click.argument("store", type=PATH)
@data_options
@click.option(
    "--images",
    type=click.IntRange(2),
    metavar="N",
    help="Number of images of the dataset for the causal tests. Every class needs 30: with too few "
    "images for all classes, some classes are left out.  [default: 60 per class, at most 2000]",
)
@moved_model_option
@device_option
@force_results_option
@json_option
@click.pass_context
def validate(
    ctx: click.Context,
    store: str,
    data: str,
    download: bool,
    skip_unreadable: bool,
    images: int | None,
    model: str | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Test how far the images of a store can be trusted.

    Scores every image (as `featviz score` does), compares its activations in each layer with
    those of the unit's natural examples, tests by interventions whether MLP neurons, and latents
    of sparse autoencoders, are necessary and sufficient for a class, and prints a summary. Results
    that the store holds are not computed again.

    \b
    Example:
      # Render neurons, find natural examples, validate
      featviz render cueworld/vit blocks.all.mlp.fc1:0-3 -o neurons
      featviz examples cueworld/vit --data cueworld:5000 -o neurons
      featviz validate neurons --data cueworld
      # The same for latents
      featviz render cueworld/vit sae.s:all@max --sae s=cueworld/sae -o latents
      featviz validate latents --data cueworld
    """
    from featviz.analysis.evidence.summary import summarize_unit, summarize_units
    from featviz.analysis.evidence.unit_evidence import EvidenceReader
    from featviz.data.datasets import open_data
    from featviz.store.jobs import open_folder

    opened = open_folder(store)
    loaded = load_model_of(opened, model, device)
    dataset = open_data(data, download, skip_unreadable)
    failures = _measure(loaded, opened, dataset, images, force)
    evidence = EvidenceReader(store)
    rows = []
    units: list[dict[str, Any]] = []
    shown: list[UnitEvidence] = []
    dead: list[str] = []
    for unit in evidence:  # only once: every image is read
        rows.append(summarize_unit(unit))
        tests = unit.causal_tests
        if tests is not None and tests.silent and tests.unit == "latent":
            dead.append(unit.address)
        if as_json:
            units.append(unit.to_json())
        elif any(unit.claims[name].holds for name in ("necessary", "sufficient") if unit.claims):
            shown.append(unit)
    summary = summarize_units(evidence.store.model, rows)
    if as_json:
        report = {"store": store, "summary": summary.to_json(), "units": units}
        print_json({**report, "failures": failures})
    else:
        _print_report(summary, shown)
    if dead:
        print_message(
            f"{store}: latents that are dead and not tested: {len(dead)}, such as {dead[0]}, which "
            "is not active on the reference images"
        )
    ctx.exit(SOME_FAILED if failures else 0)


def _measure(
    model: VisionModel, store: Store, dataset: Dataset, images: int | None, force: bool
) -> dict[str, str]:
    """Compute what the store does not hold; return the addresses that failed, and the reasons."""
    from featviz.analysis.paths.job import paths_to_store
    from featviz.analysis.scores.job import scores_to_store, settings_of
    from featviz.errors import FeatvizError
    from featviz.store.jobs import JobSummary
    from patching.effects.accuracy import LowAccuracyError
    from patching.validation.job import validate_to_store
    from patching.vit.residual_vit import residual_vit

    path, data, skip = store.path, dataset.name, bool(dataset.skip_unreadable)
    rendered, scored = store.addresses(), set(store.addresses("scores"))
    failures: dict[str, str] = {}
    if force or not scored.issuperset(rendered):
        # Scores of `featviz score` are kept, even if of another spectrum or more seeds.
        spectrum, seeds = (data, 1) if force else settings_of(store, data)
        with progress_bar("scores ") as progress:
            summary = scores_to_store(model, path, spectrum, seeds, force, progress, skip)
        failures |= summary.failures
    else:
        summary = JobSummary(0, len(rendered))
    print_summary(path, summary, "units scored")
    if "examples" in store.kinds:
        with progress_bar("paths ") as progress:
            summary = paths_to_store(model, path, force, progress)
        failures |= summary.failures
        print_summary(path, summary, "paths computed")
    else:
        print_message(
            f"{path}: no natural examples, and therefore no ratios and no paths; "
            f"`featviz examples {model.name} SELECTOR --data {data} -o {path}` adds them"
        )
    try:
        residual_vit(model)
    except FeatvizError as error:
        print_message(f"{path}: no causal tests: {error}")
        return failures
    try:
        with progress_bar("tests ") as progress:
            summary = validate_to_store(
                model, path, dataset, images, force=force, progress=progress
            )
    except LowAccuracyError as error:
        print_message(f"{path}: no causal tests: {error}")
        return failures
    print_summary(path, summary, "units tested")
    if summary.skipped:
        first, reason = next(iter(summary.skipped.items()))
        count = len(summary.skipped)
        print_message(f"{path}: {count} units are not tested, such as {first}: {reason}")
    return failures


def _print_report(summary: Summary, claimed: list[UnitEvidence]) -> None:
    """Print the distribution of every metric, the shares that pass, and units with claims."""
    overall = summary.overall
    print_table(
        [
            ("metric", "units", "5 %", "median", "95 %", "best", "worst"),
            *(
                (
                    name,
                    one.count,
                    *(one.quantiles[percent] for percent in ("5", "50", "95")),
                    one.best[0][0],
                    one.worst[0][0],
                )
                for name, one in overall.numbers.items()
            ),
        ]
    )
    print_line()
    print_table(
        [
            ("passes", "units", "of", "share", "by rank"),
            *(
                (name, count.passed, count.known, count.share, overall.by_rank.get(name, ""))
                for name, count in overall.passes.items()
                if count.known
            ),
        ]
    )
    if claimed:
        print_line()
        strongest = sorted(claimed, key=_ablation_effect, reverse=True)[:SHOWN]
        print_table([HEADINGS, *map(_claims_row, strongest)])
    if len(claimed) > SHOWN:
        print_message(f"{SHOWN} of {len(claimed)} units are shown; --json prints all")


def _ablation_effect(unit: UnitEvidence) -> float:
    assert unit.causal_tests is not None
    return unit.causal_tests.weaker_ablation.estimate


def _claims_row(unit: UnitEvidence) -> tuple[object, ...]:
    """Make the row of a unit: the weaker of its ablations, and the dose that is tested."""
    from featviz.analysis.evidence.claims import TESTED_DOSE

    tests = unit.causal_tests
    assert tests is not None
    weaker = tests.weaker_ablation
    necessary, sufficient = (unit.claims[name] for name in ("necessary", "sufficient"))
    failed = [name for name, passed in unit.checks.items() if passed is False]
    return (
        unit.address,
        tests.label,
        "yes" if necessary.holds else "no",
        weaker.estimate,
        weaker.low,
        weaker.high,
        necessary.q,
        "yes" if sufficient.holds else "no",
        tests.doses[TESTED_DOSE].effect.estimate,
        sufficient.q,
        ", ".join(f"not {name}" for name in failed),
    )
