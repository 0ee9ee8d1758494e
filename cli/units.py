"""`featviz units`."""

from __future__ import annotations

import click

from cli.options import load_model, model_options
from cli.output import json_option, print_json, print_table
from featviz.addressing.selectors import units as select


@click.command()
@model_options
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@json_option
def units(
    model: str,
    selectors: tuple[str, ...],
    untrained: bool,
    arch: str | None,
    device: str,
    as_json: bool,
) -> None:
    """List the addresses that selectors stand for; without any, the sites of MODEL.

    \b
    featviz units cueworld/vit
    featviz units cueworld/vit blocks.0-4.mlp.fc1:0-9@cls
    featviz units deit_small_patch16_224 --untrained patch_embed:all
    """
    loaded = load_model(model, untrained, arch, device)
    if selectors:
        addresses = [str(unit) for unit in select(loaded, *selectors)]
        if as_json:
            print_json(addresses)
        else:
            click.echo("\n".join(addresses))
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
