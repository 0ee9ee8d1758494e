"""`featviz modes`."""

from __future__ import annotations

import click

from cli.options import load_model, model_options
from cli.output import json_option, print_json, print_table
from featviz.models.loading.options import LoadOptions


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@json_option
def modes(
    model: str,
    selectors: tuple[str, ...],
    options: LoadOptions,
    device: str,
    as_json: bool,
) -> None:
    """Print the strengths of a head's query-key modes.

    The modes are the singular vectors of the query-key matrix, W_q^T W_k, and `strength` is the
    singular value; the strongest mode is number 0. `share` is the squared strength divided by
    the sum over all modes of the head. A SELECTOR of modes is blocks.BLOCK.attn.qk_mode:HEAD.MODE.

    \b
    Examples:
      # The four strongest modes of every head in block 2
      featviz modes cueworld/vit blocks.2.attn.qk_mode:all.0-3
      # Render them, with one image for the query and one for the key
      featviz render cueworld/vit blocks.2.attn.qk_mode:0.0-3 -o modes --split-qk
    """
    loaded = load_model(model, options, device)

    from featviz.activations.qk_modes import mode_strengths
    from featviz.addressing.selectors import units

    chosen = units(loaded, *selectors)
    found = mode_strengths(loaded, chosen)
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
