"""Order of the sites of a block: that in which a forward pass computes them."""

from __future__ import annotations

from collections.abc import Iterable

BEFORE, READ, VECTOR, Z, PROJECT, ADD, MIDDLE, HIDDEN, ACT, LAST, OUT, AFTER = range(12)
"""Stages of a block: its layers and activations, in the order of a forward pass."""

_STAGES = {
    "resid_pre": BEFORE,
    "q": VECTOR,
    "k": VECTOR,
    "v": VECTOR,
    "z": Z,
    "attn_out": ADD,
    "resid_mid": MIDDLE,
    "mlp_act": ACT,
    "mlp_out": OUT,
    "resid_post": AFTER,
}


def in_order(layers: Iterable[str], activations: Iterable[str]) -> list[str]:
    """Merge the activations of blocks and attentions into the layers of a model.

    Parameters
    ----------
    layers : iterable of str
        Paths of layers and logits, in the order of a forward pass.
    activations : iterable of str
        Paths of activations.

    Returns
    -------
    list of str
        The layers in their order, each activation between the layers before and after it.
    """
    ordered = list(layers)
    inside: dict[str, list[str]] = {}
    for path in activations:
        inside.setdefault(path.rpartition(".")[0], []).append(path)
    # Attentions first: their activations belong to the blocks around them.
    for owner in sorted(inside, key=lambda path: -path.count(".")):
        prefix = f"{owner}." if owner else ""
        own = [path for path in ordered if path.startswith(prefix)]
        start = ordered.index(own[0]) if own else len(ordered)
        merged = _merged(owner, own, inside[owner])
        ordered = [path for path in ordered if not path.startswith(prefix)]
        ordered[start:start] = merged
    return ordered


def _merged(owner: str, layers: list[str], activations: list[str]) -> list[str]:
    """Sort layers and activations of one block or attention by stage; layers keep their order."""
    stages, latest = dict[str, int](), READ
    for path in layers:
        latest = max(latest, _stage(path.removeprefix(f"{owner}.")))
        stages[path] = latest
    stages |= {path: _STAGES[path.rpartition(".")[2]] for path in activations}
    return sorted(stages, key=lambda path: stages[path])


def _stage(name: str) -> int:
    """Return the earliest stage of a layer or activation inside a block or attention."""
    part, _, last = name.rpartition(".")
    if part == "mlp":
        return LAST if last == "fc2" else HIDDEN
    if last in ("proj", "out_proj"):
        return PROJECT
    return _STAGES.get(last, READ)
