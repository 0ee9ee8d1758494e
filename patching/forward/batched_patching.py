"""Batched patched forward pass: one run for each of many patches.

A patched run equals the base run up to the first sublayer that its patch changes, so its stream is
taken from the base run's cache there. The runs that differ from the base run form one batch, which
grows from sublayer to sublayer as more runs join; each sublayer is called about once for all of
them. A run skips a sublayer whose whole output is replaced, and joins after a sublayer without
running it where only the input of its last layer is replaced.

Cost: with one patch for each of L sublayers, about L / 2 full forward passes instead of L. Memory
is bounded by splitting the patches into chunks, sorted by the sublayer at which runs join.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from patching.forward.cache import ActivationCache, check_donor, latents_of
from patching.forward.memory import rows_that_fit
from patching.interventions.patch_targets import (
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

# Replacing one of these at a token changes the stream after the sublayer at that token only.
_TOKENWISE = {"z", "attn_out", "resid_mid", "neurons", "mlp_out", "resid_post"}


@dataclass
class _PatchedRun:
    """A patched run.

    Attributes
    ----------
    index : int
        Index of its patch.
    targets : dict of int to list of PatchTarget
        By the index of the sublayer.
    stream : Tensor, shape (N, T, C), or None
        Its current residual stream; None as long as it equals the base run's.
    """

    index: int
    targets: dict[int, list[PatchTarget]]
    stream: Tensor | None = None


def patched_logits(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    patches: Sequence[Patch],
    rows: int | None = None,
) -> Tensor:
    """Compute the logits of the base run with each patch, replacing activations by a donor's.

    Parameters
    ----------
    vit : ResidualViT
        The model of the base run.
    base : ActivationCache
        The run that is patched, of N images, with the activations of all targets.
    donor : ActivationCache
        A run of as many images, of this model or of another of the same shape, with the
        activations of all targets.
    patches : sequence of Patch
        P patches. An empty patch gives the base run itself.
    rows : int, optional
        Maximum batch size, in images; at least one patched run is computed at a time. By default
        as many as memory allows. Affects only memory, speed and rounding.

    Returns
    -------
    Tensor, shape (P, N, classes)

    Raises
    ------
    FeatvizError
        If the model lacks a target, or the donor run does not fit the base run.
    ValueError
        If a patch has two targets of one kind and block.
    """
    targets = {target for patch in patches for target in patch}
    check_targets(vit, targets)
    check_donor(base, donor, targets)
    runs = [
        _PatchedRun(index, _by_sublayer(_without_unread(vit, patch)))
        for index, patch in enumerate(patches)
    ]
    changed = [run for run in runs if run.targets]
    # Runs of one chunk should join at similar depths: before that they cost nothing.
    changed.sort(key=lambda run: min(run.targets))
    size = (rows_that_fit(vit, base) if rows is None else rows) // len(base.logits)
    logits = base.logits.repeat(len(patches), 1, 1)
    for chunk in _chunks(changed, max(1, size)):
        for run, found in zip(chunk, _logits_of_chunk(vit, chunk, base, donor), strict=True):
            logits[run.index] = found
    return logits


def _chunks(runs: list[_PatchedRun], size: int) -> Iterator[list[_PatchedRun]]:
    for start in range(0, len(runs), size):
        yield runs[start : start + size]


def _logits_of_chunk(
    vit: ResidualViT, runs: list[_PatchedRun], base: ActivationCache, donor: ActivationCache
) -> tuple[Tensor, ...]:
    """Compute the logits of each patched run, (N, classes)."""
    for index, sublayer in enumerate(vit.sublayers):
        if index == len(vit.sublayers) - 1 and vit.read_tokens < vit.tokens:
            # The last MLP works on each token separately, and the head reads only the first ones.
            base, donor = base.first_tokens(vit.read_tokens), donor.first_tokens(vit.read_tokens)
            for run in runs:
                if run.stream is not None:
                    run.stream = run.stream[:, : vit.read_tokens]
        _replace_between(runs, index, base, donor)
        _run_sublayer(sublayer, index, runs, base, donor)
    _replace_between(runs, len(vit.sublayers), base, donor)
    streams = [run.stream for run in runs if run.stream is not None]
    for run in runs:
        run.stream = None
    return vit.finish(torch.cat(streams)).chunk(len(runs))


def _without_unread(vit: ResidualViT, patch: Patch) -> Patch:
    """Drop tokens from targets of the last block whose replacement cannot reach the head."""
    targets = []
    for target in patch:
        last = target.layer == vit.depth - 1 and target.kind in _TOKENWISE
        if last and target.tokens is not None:
            read = tuple(token for token in target.tokens if token < vit.read_tokens)
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
    runs: list[_PatchedRun], index: int, base: ActivationCache, donor: ActivationCache
) -> None:
    """Replace the residual stream, or a term of the embedding, before sublayer `index`."""
    for run in runs:
        targets = [target for target in run.targets.get(index, []) if target.kind in BETWEEN]
        for target in sorted(targets, key=lambda target: target.kind in STREAM):
            stream = base.streams[index] if run.stream is None else run.stream
            other = donor.value(target)
            if target.latents is not None:
                latents = base.value(target) if run.stream is None else None
                run.stream = _with_latents(target, stream, latents, other)
            elif target.kind in STREAM:
                run.stream = target.replace(stream[:, :, None], other)[:, :, 0]
            else:
                own = base.value(target)
                run.stream = stream + (target.replace(own, other) - own)[:, :, 0]


def _with_latents(
    target: PatchTarget, own: Tensor, latents: Tensor | None, other: Tensor
) -> Tensor:
    """Replace latents of an activation, (N, T, C); they are computed where they are not known."""
    whole = own[:, :, None]
    known = latents_of(target, whole) if latents is None else latents
    return target.replace_latents(whole, known, other)[:, :, 0]


@dataclass(frozen=True)
class _SublayerInput:
    """A patched run before a sublayer.

    Attributes
    ----------
    index : int
        Index of the run.
    stream : Tensor, shape (N, T, C)
    joins : bool
        Whether the stream still equals the base run's.
    targets : list of PatchTarget
        The run's targets in this sublayer.
    """

    index: int
    stream: Tensor
    joins: bool
    targets: list[PatchTarget]

    @property
    def output(self) -> PatchTarget | None:
        """The target that replaces the output of the sublayer."""
        return next((target for target in self.targets if target.kind in OUTPUTS), None)

    @property
    def needs_last_layer_only(self) -> bool:
        """Whether only the input of the sublayer's last layer differs from the base run."""
        return self.joins and len(self.targets) == 1 and self.targets[0].kind in {"z", "neurons"}


def _run_sublayer(
    sublayer: Sublayer,
    index: int,
    runs: list[_PatchedRun],
    base: ActivationCache,
    donor: ActivationCache,
) -> None:
    """Update the stream of every run that differs from the base run after a sublayer.

    Each run takes the cheapest way: from cached outputs, by the last layer, or by the sublayer.
    """
    inputs = []
    for run in runs:
        targets = [target for target in run.targets.get(index, []) if target.kind not in BETWEEN]
        joins = run.stream is None
        if targets or not joins:
            stream = base.streams[index] if run.stream is None else run.stream
            inputs.append(_SublayerInput(run.index, stream, joins, targets))
    streams = _from_cache(inputs, base.streams[index + 1], base, donor)
    rest = [each for each in inputs if each.index not in streams]
    if sublayer.last:
        late = [each for each in rest if each.needs_last_layer_only]
        rest = [each for each in rest if not each.needs_last_layer_only]
        streams |= _by_last_layer(sublayer, sublayer.last, late, base, donor)
    streams |= _by_whole_sublayer(sublayer, rest, donor)
    for run in runs:
        run.stream = streams.get(run.index, run.stream)


def _from_cache(
    inputs: list[_SublayerInput], base_stream: Tensor, base: ActivationCache, donor: ActivationCache
) -> dict[int, Tensor]:
    """Update runs whose sublayer output is the donor's, or partly the donor's and the base's."""
    streams = {}
    for each in inputs:
        target = each.output
        if target and target.latents is not None:
            if each.joins and len(each.targets) == 1:
                own = base.value(target.whole)[:, :, 0]
                new = _with_latents(target, own, base.value(target), donor.value(target))
                # Adding the difference leaves a run without a change as it is, bit by bit.
                streams[each.index] = base_stream + (new - own)
        elif target and (target.tokens is None or (each.joins and len(each.targets) == 1)):
            other = each.stream + donor.value(target)[:, :, 0]
            streams[each.index] = target.replace(base_stream[:, :, None], other[:, :, None])[
                :, :, 0
            ]
    return streams


def _by_last_layer(
    sublayer: Sublayer,
    layer: nn.Module,
    inputs: list[_SublayerInput],
    base: ActivationCache,
    donor: ActivationCache,
) -> dict[int, Tensor]:
    """Update runs that need only the last layer of the sublayer, in one batch."""
    if not inputs:
        return {}
    targets = [each.targets[0] for each in inputs]
    values = [target.replace(base.value(target), donor.value(target)) for target in targets]
    branches = sublayer.write(layer(torch.cat(values).flatten(2))).chunk(len(inputs))
    return {each.index: each.stream + branch for each, branch in zip(inputs, branches, strict=True)}


def _by_whole_sublayer(
    sublayer: Sublayer, inputs: list[_SublayerInput], donor: ActivationCache
) -> dict[int, Tensor]:
    """Update the other runs by running the sublayer, in one batch."""
    if not inputs:
        return {}
    batch = torch.cat([each.stream for each in inputs])
    with hooked(sublayer, _changes(inputs, donor)):
        branches = sublayer.branch(batch).chunk(len(inputs))
    streams = {}
    for each, stream, branch in zip(inputs, batch.chunk(len(inputs)), branches, strict=True):
        added = branch
        if each.output and each.output.latents is not None:
            added = _with_latents(each.output, branch, None, donor.value(each.output))
        elif each.output:
            added = each.output.replace(branch[:, :, None], donor.value(each.output))[:, :, 0]
        # In place: allocating memory of this size takes as long as the addition.
        streams[each.index] = stream.add_(added)
    return streams


def _changes(inputs: list[_SublayerInput], donor: ActivationCache) -> dict[str, Change]:
    """Make the function that replaces each kind of activation inside the sublayer."""
    targets = [each.targets for each in inputs]
    kinds = dict.fromkeys(target.kind for some in targets for target in some)
    return {kind: partial(_change, targets, kind, donor) for kind in kinds if kind in INSIDE}


def _change(
    targets: list[list[PatchTarget]], kind: str, donor: ActivationCache, value: Tensor
) -> Tensor:
    """Replace one kind of activation in the part of the batch of each run that targets it."""
    parts = list(value.chunk(len(targets)))
    for index, some in enumerate(targets):
        for target in some:
            if target.kind == kind:
                parts[index] = target.replace(parts[index], donor.value(target))
    return torch.cat(parts)
