"""Many patched runs in one: a batch that grows from half to half, like a staircase.

Every patched run leaves the base run at its first spot, from the stream that the base run left
there. From then on it travels in one batch with all others that have left already, so that each
half is called about once, and nothing that is replaced is computed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from patching.halves import Half
from patching.runs import Run
from patching.spots import INSIDE, OUTPUTS, STREAM, Patch, Spot
from patching.taps import Change, tapped
from patching.trunk import Trunk

# What follows such an activation inside a half is one linear layer, so that a run that leaves the
# base run there needs nothing that comes before.
_LAST_LAYERS = {"z": "proj", "neurons": "fc2"}


@dataclass
class _Traveller:
    """A patched run on its way: its number, its spots by half, and its stream (N, T, C)."""

    number: int
    spots: dict[int, list[Spot]]
    stream: Tensor | None = None


def patched_logits(trunk: Trunk, base: Run, donor: Run, patches: Sequence[Patch]) -> Tensor:
    """Run a base once for every patch, with a donor's activations at its spots.

    Parameters
    ----------
    base : Run
        Of N images, with the activations of all patches.
    donor : Run
        Of as many images; another run of the model, or of another of the same shape.
    patches : sequence of Patch
        P of them. An empty one is the base run itself.

    Returns
    -------
    Tensor, shape (P, N, classes)
    """
    travellers = [_Traveller(number, _by_half(patch)) for number, patch in enumerate(patches)]
    for number, half in enumerate(trunk.halves):
        _step(half, number, travellers, base, donor)
    _replace_streams(travellers, len(trunk.halves), base, donor)
    logits = base.logits.repeat(len(patches), 1, 1)
    arrived = [traveller for traveller in travellers if traveller.stream is not None]
    if arrived:
        ends = trunk.finish(torch.cat([t.stream for t in arrived if t.stream is not None]))
        for traveller, end in zip(arrived, ends.chunk(len(arrived)), strict=True):
            logits[traveller.number] = end
    return logits


def _by_half(patch: Patch) -> dict[int, list[Spot]]:
    spots: dict[int, list[Spot]] = {}
    for spot in patch:
        if any(spot.kind == other.kind for other in spots.get(spot.half, [])):
            raise ValueError(f"a patch replaces {spot.kind} of block {spot.layer} twice")
        spots.setdefault(spot.half, []).append(spot)
    return spots


def _replace_streams(travellers: list[_Traveller], number: int, base: Run, donor: Run) -> None:
    """Replace the residual stream before a half where a spot says so."""
    for traveller in travellers:
        for spot in traveller.spots.get(number, []):
            if spot.kind in STREAM:
                own = base.streams[number] if traveller.stream is None else traveller.stream
                replaced = spot.replace(own[:, :, None], donor.value(spot))
                traveller.stream = replaced[:, :, 0]


@dataclass(frozen=True)
class _Visit:
    """A traveller before a half: its stream there, and its spots in the half."""

    number: int
    stream: Tensor
    leaving: bool
    spots: list[Spot]

    @property
    def output(self) -> Spot | None:
        """The spot at which what the half adds is replaced."""
        return next((spot for spot in self.spots if spot.kind in OUTPUTS), None)

    @property
    def last(self) -> Spot | None:
        """The only spot, if the half need run from there alone."""
        alone = self.leaving and len(self.spots) == 1 and self.spots[0].kind in _LAST_LAYERS
        return self.spots[0] if alone else None


def _step(half: Half, number: int, travellers: list[_Traveller], base: Run, donor: Run) -> None:
    """Carry all that have left through a half, and let those leave whose first spot is here."""
    _replace_streams(travellers, number, base, donor)
    visits = []
    for traveller in travellers:
        spots = [spot for spot in traveller.spots.get(number, []) if spot.kind not in STREAM]
        leaving = traveller.stream is None
        if spots or not leaving:
            stream = base.streams[number] if traveller.stream is None else traveller.stream
            visits.append(_Visit(traveller.number, stream, leaving, spots))
    moved = _moved_without_running(visits, base.streams[number + 1], donor)
    rest = [visit for visit in visits if visit.number not in moved]
    short = [visit for visit in rest if visit.last]
    for kind in _LAST_LAYERS:
        of_kind = [visit for visit in short if visit.spots[0].kind == kind]
        moved |= _moved_from_last_layer(half, kind, of_kind, base, donor)
    moved |= _moved_by_running(half, [visit for visit in rest if not visit.last], donor)
    for traveller in travellers:
        traveller.stream = moved.get(traveller.number, traveller.stream)


def _moved_without_running(
    visits: list[_Visit], base_stream: Tensor, donor: Run
) -> dict[int, Tensor]:
    """Move those for whom all, or all but what the base run knows, is the donor's."""
    moved = {}
    for visit in visits:
        spot = visit.output
        if spot and (spot.tokens is None or (visit.leaving and len(visit.spots) == 1)):
            other = visit.stream + donor.value(spot)[:, :, 0]
            moved[visit.number] = spot.replace(base_stream[:, :, None], other[:, :, None])[:, :, 0]
    return moved


def _moved_from_last_layer(
    half: Half, kind: str, visits: list[_Visit], base: Run, donor: Run
) -> dict[int, Tensor]:
    """Move those who need the last layer of the half only."""
    if not visits:
        return {}
    values = [v.spots[0].replace(base.value(v.spots[0]), donor.value(v.spots[0])) for v in visits]
    layer: Any = half.core.get_submodule(_LAST_LAYERS[kind])
    branches = half.behind(layer(torch.cat(values).flatten(2))).chunk(len(visits))
    return {
        visit.number: visit.stream + branch for visit, branch in zip(visits, branches, strict=True)
    }


def _moved_by_running(half: Half, visits: list[_Visit], donor: Run) -> dict[int, Tensor]:
    """Move the others, all in one batch."""
    if not visits:
        return {}
    with tapped(half, _changes(visits, donor)):
        branches = half.branch(torch.cat([visit.stream for visit in visits])).chunk(len(visits))
    moved = {}
    for visit, branch in zip(visits, branches, strict=True):
        added = branch
        if visit.output:
            added = visit.output.replace(branch[:, :, None], donor.value(visit.output))[:, :, 0]
        moved[visit.number] = visit.stream + added
    return moved


def _changes(visits: list[_Visit], donor: Run) -> dict[str, Change]:
    """For each kind inside the half, replace it in the rows of those who have a spot there."""
    kinds = dict.fromkeys(spot.kind for visit in visits for spot in visit.spots)
    rows = [visit.spots for visit in visits]
    return {kind: partial(_change, rows, kind, donor) for kind in kinds if kind in INSIDE}


def _change(rows: list[list[Spot]], kind: str, donor: Run, value: Tensor) -> Tensor:
    parts = list(value.chunk(len(rows)))
    for number, spots in enumerate(rows):
        for spot in spots:
            if spot.kind == kind:
                parts[number] = spot.replace(parts[number], donor.value(spot))
    return torch.cat(parts)
