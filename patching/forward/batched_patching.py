"""Many patched runs in one: a batch that grows from half to half, like a staircase.

Every patched run leaves the base run at its first spot, from the stream that the base run left
there. From then on it travels in one batch with all others that have left already, so that each
half is called about once, and nothing that is replaced is computed before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from patching.forward.cache import Run, check_donor
from patching.forward.memory import rows_that_fit
from patching.interventions.targets import BETWEEN, INSIDE, OUTPUTS, STREAM, Patch, Spot, check
from patching.vit.hook_points import Change, tapped
from patching.vit.residual_vit import Trunk
from patching.vit.sublayers import Half

# Kinds that, replaced at a token, change nothing but that token of the stream behind the half.
_OF_ONE_TOKEN = {"z", "attn_out", "resid_mid", "neurons", "mlp_out", "resid_post"}


@dataclass
class _Traveller:
    """A patched run on its way: its number, its spots by half, and its stream (N, T, C)."""

    number: int
    spots: dict[int, list[Spot]]
    stream: Tensor | None = None


def patched_logits(
    trunk: Trunk, base: Run, donor: Run, patches: Sequence[Patch], rows: int | None = None
) -> Tensor:
    """Run a base once for every patch, with a donor's activations at its spots.

    Parameters
    ----------
    base : Run
        Of N images, with the activations of all patches.
    donor : Run
        Of as many images; another run of the model, or of another of the same shape.
    patches : sequence of Patch
        P of them. An empty one is the base run itself.
    rows : int, optional
        The most images of patched runs that travel at once, of one patched run at least; as many
        as memory allows, if not given. It decides about nothing but memory and rounding.

    Returns
    -------
    Tensor, shape (P, N, classes)

    Raises
    ------
    FeatvizError
        If the model has no such spots, or the donor's run does not fit.
    """
    spots = {spot for patch in patches for spot in patch}
    check(trunk, spots)
    check_donor(base, donor, spots)
    travellers = [
        _Traveller(number, _by_half(_read_spots(trunk, patch)))
        for number, patch in enumerate(patches)
    ]
    leaving = [traveller for traveller in travellers if traveller.spots]
    # Those that leave at the same half stay together, so that the others need not wait for them.
    leaving.sort(key=lambda traveller: min(traveller.spots))
    together = (rows_that_fit(trunk, base) if rows is None else rows) // len(base.logits)
    logits = base.logits.repeat(len(patches), 1, 1)
    for chunk in _chunks(leaving, max(1, together)):
        for traveller, end in zip(chunk, _climb(trunk, chunk, base, donor), strict=True):
            logits[traveller.number] = end
    return logits


def _chunks(travellers: list[_Traveller], size: int) -> Iterator[list[_Traveller]]:
    for start in range(0, len(travellers), size):
        yield travellers[start : start + size]


def _climb(trunk: Trunk, travellers: list[_Traveller], base: Run, donor: Run) -> tuple[Tensor, ...]:
    """Carry travellers to the logits of each, (N, classes)."""
    for number, half in enumerate(trunk.halves):
        if number == len(trunk.halves) - 1 and trunk.read < trunk.tokens:
            # The last MLP works token by token, and most of what it adds is not read.
            base, donor = base.first(trunk.read), donor.first(trunk.read)
            for traveller in travellers:
                if traveller.stream is not None:
                    traveller.stream = traveller.stream[:, : trunk.read]
        _step(half, number, travellers, base, donor)
    _replace_between(travellers, len(trunk.halves), base, donor)
    ends = [traveller.stream for traveller in travellers if traveller.stream is not None]
    for traveller in travellers:
        traveller.stream = None
    return trunk.finish(torch.cat(ends)).chunk(len(travellers))


def _read_spots(trunk: Trunk, patch: Patch) -> Patch:
    """Leave away what is replaced in the last block at tokens that are not read from there on."""
    spots = []
    for spot in patch:
        last = spot.layer == trunk.depth - 1 and spot.kind in _OF_ONE_TOKEN
        if last and spot.tokens is not None:
            read = tuple(token for token in spot.tokens if token < trunk.read)
            spots += [replace(spot, tokens=read)] if read else []
        else:
            spots.append(spot)
    return tuple(spots)


def _by_half(patch: Patch) -> dict[int, list[Spot]]:
    spots: dict[int, list[Spot]] = {}
    for spot in patch:
        if any(spot.kind == other.kind for other in spots.get(spot.half, [])):
            raise ValueError(f"a patch replaces {spot.kind} of block {spot.layer} twice")
        spots.setdefault(spot.half, []).append(spot)
    return spots


def _replace_between(travellers: list[_Traveller], number: int, base: Run, donor: Run) -> None:
    """Replace the residual stream before a half, or its addends, where a spot says so."""
    for traveller in travellers:
        spots = [spot for spot in traveller.spots.get(number, []) if spot.kind in BETWEEN]
        for spot in sorted(spots, key=lambda spot: spot.kind in STREAM):
            stream = base.streams[number] if traveller.stream is None else traveller.stream
            other = donor.value(spot)
            if spot.kind in STREAM:
                traveller.stream = spot.replace(stream[:, :, None], other)[:, :, 0]
            else:
                own = base.value(spot)
                traveller.stream = stream + (spot.replace(own, other) - own)[:, :, 0]


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
    def late(self) -> bool:
        """Whether nothing is replaced but what the last layer of the half reads."""
        return self.leaving and len(self.spots) == 1 and self.spots[0].kind in {"z", "neurons"}


def _step(half: Half, number: int, travellers: list[_Traveller], base: Run, donor: Run) -> None:
    """Carry all that have left through a half, and let those leave whose first spot is here."""
    _replace_between(travellers, number, base, donor)
    visits = []
    for traveller in travellers:
        spots = [spot for spot in traveller.spots.get(number, []) if spot.kind not in BETWEEN]
        leaving = traveller.stream is None
        if spots or not leaving:
            stream = base.streams[number] if traveller.stream is None else traveller.stream
            visits.append(_Visit(traveller.number, stream, leaving, spots))
    moved = _moved_without_running(visits, base.streams[number + 1], donor)
    rest = [visit for visit in visits if visit.number not in moved]
    if half.last:
        late = [visit for visit in rest if visit.late]
        rest = [visit for visit in rest if not visit.late]
        moved |= _moved_by_last_layer(half, half.last, late, base, donor)
    moved |= _moved_by_running(half, rest, donor)
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


def _moved_by_last_layer(
    half: Half, layer: nn.Module, visits: list[_Visit], base: Run, donor: Run
) -> dict[int, Tensor]:
    """Move those who need the last layer of the half only."""
    if not visits:
        return {}
    values = [v.spots[0].replace(base.value(v.spots[0]), donor.value(v.spots[0])) for v in visits]
    branches = half.behind(layer(torch.cat(values).flatten(2))).chunk(len(visits))
    return {
        visit.number: visit.stream + branch for visit, branch in zip(visits, branches, strict=True)
    }


def _moved_by_running(half: Half, visits: list[_Visit], donor: Run) -> dict[int, Tensor]:
    """Move the others, all in one batch."""
    if not visits:
        return {}
    streams = torch.cat([visit.stream for visit in visits])
    with tapped(half, _changes(visits, donor)):
        branches = half.branch(streams).chunk(len(visits))
    moved = {}
    for visit, stream, branch in zip(visits, streams.chunk(len(visits)), branches, strict=True):
        added = branch
        if visit.output:
            added = visit.output.replace(branch[:, :, None], donor.value(visit.output))[:, :, 0]
        # In place: fresh memory for so much costs as much time as the sum.
        moved[visit.number] = stream.add_(added)
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
