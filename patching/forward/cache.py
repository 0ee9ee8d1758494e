"""Activation cache: the residual stream, logits and selected activations of an unpatched run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from featviz.errors import FeatvizError
from patching.interventions.patch_targets import (
    EMBEDDINGS,
    INSIDE,
    OUTPUTS,
    STREAM,
    ActivationKey,
    Patch,
    PatchTarget,
    check_targets,
)
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT

Values = dict[ActivationKey, Tensor]
"""Activations, each (N, T, G, D); of latents, D is 1."""


@dataclass(frozen=True)
class ActivationCache:
    """The activations of a run of N images.

    Attributes
    ----------
    streams : list of Tensor, each of shape (N, T, C)
        The residual stream before each sublayer, and after the last.
    values : dict of (kind, layer) to Tensor, each of shape (N, T, G, D)
        The other activations that were requested; see `PatchTarget.key`.
    logits : Tensor, shape (N, classes)
    """

    streams: list[Tensor]
    values: Values
    logits: Tensor

    def value(self, target: PatchTarget) -> Tensor:
        """Return the whole activation of a target's kind and layer, or all latents.

        Parameters
        ----------
        target : PatchTarget
            Its tokens and groups are ignored.

        Returns
        -------
        Tensor, shape (N, T, G, D)
        """
        if target.kind in STREAM and target.latents is None:
            return self.streams[target.sublayer][:, :, None]
        return self.values[target.key]

    def first_tokens(self, count: int) -> ActivationCache:
        """Return a cache with only the first `count` tokens of every activation."""
        streams = [stream[:, :count] for stream in self.streams]
        values = {key: value[:, :count] for key, value in self.values.items()}
        return ActivationCache(streams, values, self.logits)


def run_with_cache(
    vit: ResidualViT, start: Tensor, wanted: Iterable[Patch] = ()
) -> ActivationCache:
    """Run a model and keep its streams, its logits and the activations of all targets.

    Parameters
    ----------
    vit : ResidualViT
    start : Tensor, shape (N, T, C)
        The residual stream before the first block; see `ResidualViT.embed`.
    wanted : iterable of Patch
        Patches whose targets to keep, as whole activations.

    Returns
    -------
    ActivationCache

    Raises
    ------
    FeatvizError
        If the model lacks a target.
    """
    targets = {target for patch in wanted for target in patch}
    check_targets(vit, targets)
    kinds: dict[int, set[str]] = {}
    for target in targets:
        kinds.setdefault(target.sublayer, set()).add(target.kind)
    streams, values = [start], Values()
    if vit.embedding:
        for kind in kinds.get(0, set()) & set(EMBEDDINGS):
            values[kind, 0] = vit.embedding.component(kind, start)
    for index, sublayer in enumerate(vit.sublayers):
        here = kinds.get(index, set())
        found: dict[str, Tensor] = {}
        with hooked(sublayer, {kind: partial(_keep, found, kind) for kind in here & set(INSIDE)}):
            branch = sublayer.branch(streams[-1])
        for kind in here & set(OUTPUTS):
            found[kind] = branch[:, :, None]
        values |= {(kind, index // 2): value for kind, value in found.items()}
        streams.append(streams[-1] + branch)
    run = ActivationCache(streams, values, vit.finish(streams[-1]))
    for target in targets:
        if target.latents is not None and target.key not in values:
            values[target.key] = latents_of(target, run.value(target.whole))
    return run


def latents_of(target: PatchTarget, activation: Tensor) -> Tensor:
    """Compute all latents of the sparse autoencoder of a target.

    Parameters
    ----------
    target : PatchTarget
        Of latents.
    activation : Tensor, shape (N, T, 1, D)
        What the autoencoder reads.

    Returns
    -------
    Tensor, shape (N, T, G, 1)
    """
    assert target.latents is not None
    return target.latents.sae.encode(activation[:, :, 0]).to(activation)[..., None]


def check_donor(
    base: ActivationCache, donor: ActivationCache, targets: Iterable[PatchTarget]
) -> None:
    """Check that the activations of a donor run can replace those of the base run.

    Parameters
    ----------
    base : ActivationCache
        The run that is patched.
    donor : ActivationCache
        The run that activations are taken from.
    targets : iterable of PatchTarget

    Raises
    ------
    FeatvizError
        If the runs differ in images, blocks, tokens, channels, heads or neurons, or one of them
        lacks the activation of a target.
    """
    shapes = [(len(run.streams) // 2, *run.streams[0].shape) for run in (base, donor)]
    if shapes[0] != shapes[1]:
        forms = ["{} blocks of {} x {} x {}".format(*shape) for shape in shapes]
        raise FeatvizError(
            f"the donor run has {forms[1]} (images, tokens, channels), the base run {forms[0]}"
        )
    for target in targets:
        if target.kind in STREAM and target.latents is None:
            continue
        what = f"{'latents of ' if target.latents else ''}{target.kind} of block {target.layer}"
        for name, run in (("base", base), ("donor", donor)):
            if target.key not in run.values:
                raise FeatvizError(f"the {name} run has no {what}")
        own, other = base.value(target), donor.value(target)
        if own.shape != other.shape:
            raise FeatvizError(
                f"{what} has shape {tuple(other.shape)} in the donor run, "
                f"and {tuple(own.shape)} in the base run"
            )


def _keep(found: dict[str, Tensor], kind: str, value: Tensor) -> Tensor:
    found[kind] = value
    return value
