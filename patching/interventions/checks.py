"""Whether a model has the spots that are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from featviz.errors import FeatvizError, nearest
from patching.interventions.targets import EMBEDDINGS, INSIDE, INSIDE_ATTENTION, KINDS, Spot
from patching.vit.hook_points import group_count, tap_of
from patching.vit.residual_vit import Trunk


def check(trunk: Trunk, spots: Iterable[Spot]) -> None:
    """Refuse spots that a model does not have: a kind, block, token, head or neuron.

    Raises
    ------
    FeatvizError
        That names the first such spot, and what there is.
    """
    for spot in set(spots):
        _check_kind(trunk, spot)
        where = f"{spot.kind} of block {spot.layer} of {trunk.model.name}"
        _check_numbers(f"tokens in {where}", spot.tokens, trunk.tokens)
        if spot.groups is None:
            continue
        if spot.kind not in INSIDE:
            raise FeatvizError(f"{where} has neither heads nor neurons to choose from")
        what = "heads" if spot.kind in INSIDE_ATTENTION else "neurons"
        count = group_count(trunk.halves[spot.half], spot.kind)
        _check_numbers(f"{what} in {where}", spot.groups, count)


def _check_kind(trunk: Trunk, spot: Spot) -> None:
    name = trunk.model.name
    if spot.kind not in KINDS:
        hint = nearest(spot.kind, KINDS) or f"; there are {', '.join(KINDS)}"
        raise FeatvizError(f"there is nothing to patch by the name of {spot.kind}{hint}")
    if not 0 <= spot.layer < trunk.depth:
        raise FeatvizError(f"{name} has blocks 0-{trunk.depth - 1}, so no block {spot.layer}")
    if spot.kind in INSIDE:
        tap_of(trunk.halves[spot.half], spot.kind)
    if spot.kind not in EMBEDDINGS:
        return
    if spot.layer:
        raise FeatvizError(f"{spot.kind} comes before block 0, not before block {spot.layer}")
    if trunk.stem is None:
        raise FeatvizError(f"{name} does more than add its embeddings up, so no {spot.kind}")
    if spot.kind == "pos_embed" and trunk.stem.positions is None:
        raise FeatvizError(f"{name} adds no position embedding to its patches")


def _check_numbers(what: str, numbers: tuple[int, ...] | None, count: int) -> None:
    if numbers is None:
        return
    if not numbers:
        raise FeatvizError(f"no {what} are named")
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong:
        raise FeatvizError(f"there are {what} 0-{count - 1}, so no {wrong[0]}")
