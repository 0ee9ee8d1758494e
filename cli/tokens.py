"""`featviz tokens`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    batch_option,
    force_option,
    load_model,
    model_options,
    recipe_for,
    recipe_options,
    store_option,
)
from cli.output import finish, json_option, print_json, print_table
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions

if TYPE_CHECKING:
    import numpy.typing as npt

    from featviz.analysis.tokens.scores import TokenScores


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@store_option
@recipe_options
@batch_option
@force_option
@json_option
def tokens(
    model: str,
    selectors: tuple[str, ...],
    store: str,
    batch: int | None,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
    **settings: Any,
) -> None:
    """Render units token by token and compare the images.

    Renders each unit once as the mean over the patches, and once at each token that a SELECTOR
    lists after @. Prints two medians over these tokens: `share` is the activation at a token that
    the mean's image reaches, as a fraction of what the token's own image reaches; `likeness`, in
    [0, 1], is the similarity of the two images to the unit's layer.

    \b
    Examples:
      # A neuron at every token
      featviz tokens cueworld/vit blocks.8.mlp.fc1:2@all -o tokens
      # 16 neurons at three tokens
      featviz tokens cueworld/vit blocks.5-8.mlp.fc1:0-3@1,8,28 -o some
    """
    loaded = load_model(model, options, device)

    from featviz.addressing.selectors import units
    from featviz.analysis.tokens.job import KIND, group_by_unit, tokens_to_store
    from featviz.analysis.tokens.scores import TokenScores
    from featviz.store.reader import Store

    chosen = group_by_unit(loaded, units(loaded, *selectors))
    recipe = recipe_for(loaded, store, **settings)
    at_tokens = [part for parts in chosen.values() for part in parts]
    with progress_bar() as progress:
        summary = tokens_to_store(loaded, at_tokens, recipe, store, batch, force, progress)
    opened = Store(store)
    stored = set(opened.addresses(KIND))
    scores = [
        TokenScores.from_row(opened.row(str(unit), KIND)) for unit in chosen if str(unit) in stored
    ]
    if as_json:
        reports = list(map(_report, scores))
        print_json({"store": store, "units": reports, "failures": summary.failures})
    else:
        rows = [
            (each.address, len(each.tokens), each.median_share, each.median_similarity)
            for each in scores
        ]
        print_table([("unit", "tokens", "share", "likeness"), *rows])
    finish(store, summary, "units scored")


def _report(scores: TokenScores) -> dict[str, Any]:
    """Convert scores to JSON; an undefined share is null."""
    columns: dict[str, npt.NDArray[Any]] = {
        "tokens": scores.tokens,
        "optimum": scores.optimum,
        "reached": scores.reached,
        "share": scores.share,
        "likeness": scores.similarity,
    }
    at = {name: [_or_null(value) for value in column.tolist()] for name, column in columns.items()}
    share = _or_null(scores.median_share)
    return {
        "address": scores.address,
        "share": share,
        "likeness": scores.median_similarity,
        "at": at,
    }


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
