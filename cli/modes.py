"""`featviz modes`."""

from __future__ import annotations

import click

from cli.options import load_model, model_options
from cli.output import json_option, print_json, print_table
from featviz.activations.qk_modes import strengths
from featviz.addressing.selectors import units


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@json_option
def modes(
    model: str,
    selectors: tuple[str, ...],
    untrained: bool,
    arch: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Print how strong the query-key modes of attention heads are.

    A mode is a singular direction of a head's query-key matrix; its share is that of the sum of
    all squared strengths of the head. `featviz render` takes the same selectors.

    \b
    featviz modes cueworld/vit blocks.2.attn.qk_mode:all.0-3
    featviz render cueworld/vit blocks.2.attn.qk_mode:0.0-3 -o modes --sides
    """
    loaded = load_model(model, untrained, arch, device)
    chosen = units(loaded, *selectors)
    found = strengths(loaded, chosen)
    if as_json:
        keys = ("address", "strength", "share")
        print_json(
            [
                dict(zip(keys, (str(unit), *pair), strict=True))
                for unit, pair in zip(chosen, found, strict=True)
            ]
        )
        return
    rows: list[tuple[object, ...]] = [("mode", "strength", "share")]
    rows += [(str(unit), *pair) for unit, pair in zip(chosen, found, strict=True)]
    print_table(rows)
