"""`featviz units`."""

from __future__ import annotations

import click

from cli.options import load_model, model_options
from cli.output import json_option, print_json, print_line, print_table
from featviz.models.loading.options import LoadOptions


@click.command()
@model_options
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@json_option
def units(
    model: str,
    selectors: tuple[str, ...],
    options: LoadOptions,
    device: str,
    as_json: bool,
) -> None:
    """List the layers of a model, or the units of selectors.

    Without a SELECTOR, prints for each layer its number of units, its positions (tokens, or
    positions of a feature map), their grid, and how many class and register tokens come first.
    With selectors, prints the address of each unit.

    \b
    Examples:
      # Layers of the bundled vision transformer
      featviz units cueworld/vit
      # Ten neurons in each of five blocks, at the class token
      featviz units cueworld/vit blocks.0-4.mlp.fc1:0-9@cls
      # All patch embedding filters, without downloading the weights
      featviz units deit_small_patch16_224 --untrained patch_embed:all
    """
    loaded = load_model(model, options, device)
    if selectors:
        from featviz.addressing.selectors import units as expand

        addresses = [str(unit) for unit in expand(loaded, *selectors)]
        if as_json:
            print_json(addresses)
        else:
            print_line("\n".join(addresses))
        return
    sites = list(loaded.sites.values())
    if as_json:
        keys = ("path", "width", "positions", "grid", "prefix")
        print_json([{key: getattr(site, key) for key in keys} for site in sites])
        return
    rows: list[tuple[object, ...]] = [("site", "units", "positions", "grid", "prefix")]
    for site in sites:
        grid = f"{site.grid[0]} x {site.grid[1]}" if site.grid else "-"
        rows.append((site.path, site.width, site.positions or "-", grid, site.prefix))
    print_table(rows)
