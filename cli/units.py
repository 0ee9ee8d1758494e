"""`featviz units`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.options import load_model, model_options
from cli.output import json_option, print_json, print_line, print_table
from featviz.addressing.ranges import join
from featviz.models.loading.options import LoadOptions

if TYPE_CHECKING:
    from featviz.models.sites import Site


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
    """List the sites of a model, or the units of selectors.

    Without a SELECTOR, prints for each site (layer, activation of a block, logits of an attention)
    its number of units, its positions (tokens, or positions of a feature map), their grid, and how
    many class and register tokens come first. Sites that differ only in numbers share a line, such
    as blocks.0-11.resid_mid; --json lists each. With selectors, prints the address of each unit.

    \b
    Examples:
      # Sites of the bundled vision transformer
      featviz units cueworld/vit
      # Ten neurons in each of five blocks, at the class token
      featviz units cueworld/vit blocks.0-4.mlp.fc1:0-9@cls
      # A coordinate of the residual stream after each block, at the patch where it is largest
      featviz units cueworld/vit blocks.all.resid_post:7@max
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
    for selector, site in _grouped(sites):
        grid = f"{site.grid[0]} x {site.grid[1]}" if site.grid else "-"
        rows.append((selector, site.width, site.positions or "-", grid, site.prefix))
    print_table(rows)


def _grouped(sites: list[Site]) -> list[tuple[str, Site]]:
    """Merge sites that differ only in numbers of their path; return selectors of their paths."""
    groups = {
        tuple(site.path.split(".")): (site, (site.width, site.positions, site.grid, site.prefix))
        for site in sites
    }
    for place in reversed(range(max(map(len, groups), default=0))):
        merged: dict[object, list[tuple[str, ...]]] = {}
        for parts, (_, facts) in groups.items():
            own = parts[place : place + 1]
            rest = (parts[:place], parts[place + 1 :], facts) if own and own[0].isdigit() else parts
            merged.setdefault(rest, []).append(parts)
        groups = {
            (*some[0][:place], join(int(each[place]) for each in some), *some[0][place + 1 :])
            if len(some) > 1
            else some[0]: groups[some[0]]
            for some in merged.values()
        }
    return [(".".join(parts), site) for parts, (site, _) in groups.items()]
