"""Many patched runs in one: a batch that grows from sublayer to sublayer, like a staircase.

Every patched run leaves the base run at its first target, from the stream that the base run left
there. From then on it travels in one batch with all others that have left already, so that each
sublayer is called about once, and nothing that is replaced is computed before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from patching.forward.cache import ActivationCache, check_donor
from patching.forward.memory import rows_that_fit
from patching.interventions.targets import (
    BETWEEN,
    INSIDE,
    OUTPUTS,
    STREAM,
    Patch,
    PatchTarget,
    check_targets,
)
from patching.vit.hook_points import Change, hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer

# Kinds that, replaced at a token, change nothing but that token of the stream behind the sublayer.
_OF_ONE_TOKEN = {"z", "attn_out", "resid_mid", "neurons", "mlp_out", "resid_post"}


@dataclass
class _PatchedRun:
    """A patched run on its way: its number, its targets by sublayer, and its stream (N, T, C)."""

    number: int
    targets: dict[int, list[PatchTarget]]
    stream: Tensor | None = None


def patched_logits(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    patches: Sequence[Patch],
    rows: int | None = None,
) -> Tensor:
    """Run a base once for every patch, with a donor's activations at its targets.

    Parameters
    ----------
    base : ActivationCache
        Of N images, with the activations of all patches.
    donor : ActivationCache
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
        If the model has no such targets, or the donor's run does not fit.
    """
    targets = {target for patch in patches for target in patch}
    check_targets(vit, targets)
    check_donor(base, donor, targets)
    travelers = [
        _PatchedRun(number, _by_sublayer(_read_targets(vit, patch)))
        for number, patch in enumerate(patches)
    ]
    leaving = [traveler for traveler in travelers if traveler.targets]
    # Those that leave at the same sublayer stay together, so that the others need not wait for them.
    leaving.sort(key=lambda traveler: min(traveler.targets))
    together = (rows_that_fit(vit, base) if rows is None else rows) // len(base.logits)
    logits = base.logits.repeat(len(patches), 1, 1)
    for chunk in _chunks(leaving, max(1, together)):
        for traveler, end in zip(chunk, _climb(vit, chunk, base, donor), strict=True):
            logits[traveler.number] = end
    return logits


def _chunks(travelers: list[_PatchedRun], size: int) -> Iterator[list[_PatchedRun]]:
    for start in range(0, len(travelers), size):
        yield travelers[start : start + size]


def _climb(
    vit: ResidualViT, travelers: list[_PatchedRun], base: ActivationCache, donor: ActivationCache
) -> tuple[Tensor, ...]:
    """Carry travelers to the logits of each, (N, classes)."""
    for number, sublayer in enumerate(vit.sublayers):
        if number == len(vit.sublayers) - 1 and vit.read < vit.tokens:
            # The last MLP works token by token, and most of what it adds is not read.
            base, donor = base.first(vit.read), donor.first(vit.read)
            for traveler in travelers:
                if traveler.stream is not None:
                    traveler.stream = traveler.stream[:, : vit.read]
        _step(sublayer, number, travelers, base, donor)
    _replace_between(travelers, len(vit.sublayers), base, donor)
    ends = [traveler.stream for traveler in travelers if traveler.stream is not None]
    for traveler in travelers:
        traveler.stream = None
    return vit.finish(torch.cat(ends)).chunk(len(travelers))


def _read_targets(vit: ResidualViT, patch: Patch) -> Patch:
    """Leave away what is replaced in the last block at tokens that are not read from there on."""
    targets = []
    for target in patch:
        last = target.layer == vit.depth - 1 and target.kind in _OF_ONE_TOKEN
        if last and target.tokens is not None:
            read = tuple(token for token in target.tokens if token < vit.read)
            targets += [replace(target, tokens=read)] if read else []
        else:
            targets.append(target)
    return tuple(targets)


def _by_sublayer(patch: Patch) -> dict[int, list[PatchTarget]]:
    targets: dict[int, list[PatchTarget]] = {}
    for target in patch:
        if any(target.kind == other.kind for other in targets.get(target.sublayer, [])):
            raise ValueError(f"a patch replaces {target.kind} of block {target.layer} twice")
        targets.setdefault(target.sublayer, []).append(target)
    return targets


def _replace_between(
    travelers: list[_PatchedRun], number: int, base: ActivationCache, donor: ActivationCache
) -> None:
    """Replace the residual stream before a sublayer, or its addends, where a target says so."""
    for traveler in travelers:
        targets = [target for target in traveler.targets.get(number, []) if target.kind in BETWEEN]
        for target in sorted(targets, key=lambda target: target.kind in STREAM):
            stream = base.streams[number] if traveler.stream is None else traveler.stream
            other = donor.value(target)
            if target.kind in STREAM:
                traveler.stream = target.replace(stream[:, :, None], other)[:, :, 0]
            else:
                own = base.value(target)
                traveler.stream = stream + (target.replace(own, other) - own)[:, :, 0]


@dataclass(frozen=True)
class _Visit:
    """A traveler before a sublayer: its stream there, and its targets in the sublayer."""

    number: int
    stream: Tensor
    leaving: bool
    targets: list[PatchTarget]

    @property
    def output(self) -> PatchTarget | None:
        """The target at which what the sublayer adds is replaced."""
        return next((target for target in self.targets if target.kind in OUTPUTS), None)

    @property
    def late(self) -> bool:
        """Whether nothing is replaced but what the last layer of the sublayer reads."""
        return self.leaving and len(self.targets) == 1 and self.targets[0].kind in {"z", "neurons"}


def _step(
    sublayer: Sublayer,
    number: int,
    travelers: list[_PatchedRun],
    base: ActivationCache,
    donor: ActivationCache,
) -> None:
    """Carry all that have left through a sublayer, and let those leave whose first target is here."""
    _replace_between(travelers, number, base, donor)
    visits = []
    for traveler in travelers:
        targets = [
            target for target in traveler.targets.get(number, []) if target.kind not in BETWEEN
        ]
        leaving = traveler.stream is None
        if targets or not leaving:
            stream = base.streams[number] if traveler.stream is None else traveler.stream
            visits.append(_Visit(traveler.number, stream, leaving, targets))
    moved = _moved_without_running(visits, base.streams[number + 1], donor)
    rest = [visit for visit in visits if visit.number not in moved]
    if sublayer.last:
        late = [visit for visit in rest if visit.late]
        rest = [visit for visit in rest if not visit.late]
        moved |= _moved_by_last_layer(sublayer, sublayer.last, late, base, donor)
    moved |= _moved_by_running(sublayer, rest, donor)
    for traveler in travelers:
        traveler.stream = moved.get(traveler.number, traveler.stream)


def _moved_without_running(
    visits: list[_Visit], base_stream: Tensor, donor: ActivationCache
) -> dict[int, Tensor]:
    """Move those for whom all, or all but what the base run knows, is the donor's."""
    moved = {}
    for visit in visits:
        target = visit.output
        if target and (target.tokens is None or (visit.leaving and len(visit.targets) == 1)):
            other = visit.stream + donor.value(target)[:, :, 0]
            moved[visit.number] = target.replace(base_stream[:, :, None], other[:, :, None])[
                :, :, 0
            ]
    return moved


def _moved_by_last_layer(
    sublayer: Sublayer,
    layer: nn.Module,
    visits: list[_Visit],
    base: ActivationCache,
    donor: ActivationCache,
) -> dict[int, Tensor]:
    """Move those who need the last layer of the sublayer only."""
    if not visits:
        return {}
    values = [
        v.targets[0].replace(base.value(v.targets[0]), donor.value(v.targets[0])) for v in visits
    ]
    branches = sublayer.behind(layer(torch.cat(values).flatten(2))).chunk(len(visits))
    return {
        visit.number: visit.stream + branch for visit, branch in zip(visits, branches, strict=True)
    }


def _moved_by_running(
    sublayer: Sublayer, visits: list[_Visit], donor: ActivationCache
) -> dict[int, Tensor]:
    """Move the others, all in one batch."""
    if not visits:
        return {}
    streams = torch.cat([visit.stream for visit in visits])
    with hooked(sublayer, _changes(visits, donor)):
        branches = sublayer.branch(streams).chunk(len(visits))
    moved = {}
    for visit, stream, branch in zip(visits, streams.chunk(len(visits)), branches, strict=True):
        added = branch
        if visit.output:
            added = visit.output.replace(branch[:, :, None], donor.value(visit.output))[:, :, 0]
        # In place: fresh memory for so much costs as much time as the sum.
        moved[visit.number] = stream.add_(added)
    return moved


def _changes(visits: list[_Visit], donor: ActivationCache) -> dict[str, Change]:
    """For each kind inside the sublayer, replace it in the rows of those who have a target there."""
    kinds = dict.fromkeys(target.kind for visit in visits for target in visit.targets)
    rows = [visit.targets for visit in visits]
    return {kind: partial(_change, rows, kind, donor) for kind in kinds if kind in INSIDE}


def _change(
    rows: list[list[PatchTarget]], kind: str, donor: ActivationCache, value: Tensor
) -> Tensor:
    parts = list(value.chunk(len(rows)))
    for number, targets in enumerate(rows):
        for target in targets:
            if target.kind == kind:
                parts[number] = target.replace(parts[number], donor.value(target))
    return torch.cat(parts)
