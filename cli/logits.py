"""`featviz logits`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.options import force_option, load_model, model_options, rendered_units, store_option
from cli.output import finish, json_option, print_json, print_line, print_message, print_table
from featviz.models.loading.options import LoadOptions

if TYPE_CHECKING:
    from featviz.store.columns import Row

SHOWN = 5
"""Classes at either end that the JSON names."""


@click.command()
@model_options
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@store_option
@force_option
@json_option
def logits(
    model: str,
    selectors: tuple[str, ...],
    store: str,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
) -> None:
    """Compute the direct effects of units on the class logits.

    The direct effect (logit lens) is what a unit adds to each logit through the residual stream,
    the final norm and the head, per unit of its activation, and not through later layers. The
    scale of the norm is left out. Units are MLP neurons, coordinates of attn.z, coordinates or
    directions of the residual stream, and latents of sparse autoencoders of the stream; others are
    skipped with a reason. Prints the classes whose logits each unit raises and lowers most, and
    for a latent the latent and the neuron that write in the most similar direction (cosine).
    Without a SELECTOR, uses all units that the store holds rendered images of.

    \b
    Examples:
      # Every unit that was rendered into the store
      featviz logits cueworld/vit -o neurons
      # All MLP neurons
      featviz logits cueworld/vit blocks.all.mlp.fc1:all -o effects
      # Latents of a sparse autoencoder
      featviz logits cueworld/vit sae.s:all --sae s=cueworld/sae -o latents
    """
    loaded = load_model(model, options, device)

    from featviz.addressing.selectors import units
    from featviz.analysis.logits import nearest_writers
    from featviz.analysis.logits.job import KIND, logits_to_store
    from featviz.store.reader import Store

    chosen = units(loaded, *selectors) if selectors else rendered_units(loaded, store)
    summary = logits_to_store(loaded, chosen, store, force)
    opened = Store(store)
    addresses = [str(unit) for unit in chosen if str(unit) not in summary.skipped]
    rows = opened.rows(KIND, dict.fromkeys(addresses))
    names = opened.configuration[KIND]["classes"]
    nearest = (
        {row["address"]: row for row in opened.rows(nearest_writers.KIND)}
        if nearest_writers.KIND in opened.kinds
        else {}
    )
    if as_json:
        reports = [_report(row, names) | _nearest(nearest.get(row["address"])) for row in rows]
        print_json({"store": store, "units": reports, "skipped": summary.skipped})
    else:
        headings = ("unit", "raises", "effect", "lowers", "effect")
        print_table([headings, *(_line(row, names) for row in rows)])
        if latents := [address for address in addresses if address in nearest]:
            print_line()
            headings = ("latent", "nearest latent", "cosine", "nearest neuron", "cosine")
            print_table([headings, *(_nearest_line(nearest[address]) for address in latents)])
    for reason in dict.fromkeys(summary.skipped.values()):
        skipped = [unit for unit, own in summary.skipped.items() if own == reason]
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        print_message(f"skipped: {skipped[0]}{more}: {reason}")
    finish(store, summary, "units stored")


def _report(row: Row, names: list[str]) -> dict[str, Any]:
    effects = row["effects"]
    order = effects.argsort(kind="stable")
    ends = {"raises": order[::-1][:SHOWN], "lowers": order[:SHOWN]}
    return {
        "address": row["address"],
        **{
            name: [{"class": names[index], "effect": float(effects[index])} for index in end]
            for name, end in ends.items()
        },
    }


def _line(row: Row, names: list[str]) -> tuple[object, ...]:
    effects = row["effects"]
    high, low = effects.argmax(), effects.argmin()
    return row["address"], names[high], float(effects[high]), names[low], float(effects[low])


def _nearest(row: Row | None) -> dict[str, Any]:
    """Return the units that write most similarly to a latent; nothing for other units."""
    if row is None:
        return {}
    return {
        f"nearest_{kind}s": [
            {"address": address, "cosine": float(cosine)}
            for address, cosine in zip(row[f"{kind}s"].split(), row[f"{kind}_cosines"], strict=True)
        ]
        for kind in ("latent", "neuron")
    }


def _nearest_line(row: Row) -> tuple[object, ...]:
    cells: list[object] = [row["address"]]
    for found in _nearest(row).values():
        first = found[0] if found else {"address": "", "cosine": ""}
        cells += [first["address"], first["cosine"]]
    return tuple(cells)
