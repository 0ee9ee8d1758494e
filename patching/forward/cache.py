"""Unpatched runs: the residual stream at every sublayer, the logits, and activations on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from featviz.errors import FeatvizError
from patching.interventions.targets import (
    EMBEDDINGS,
    INSIDE,
    OUTPUTS,
    STREAM,
    Patch,
    PatchTarget,
    check_targets,
)
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT

Values = dict[tuple[str, int], Tensor]
"""Activations by kind and layer, each (N, T, G, D)."""


@dataclass(frozen=True)
class ActivationCache:
    """What a run of N images left.

    Attributes
    ----------
    streams : list of Tensor, each of shape (N, T, C)
        The residual stream before each sublayer, and behind the last.
    values : Values
        The other activations that were asked for.
    logits : Tensor, shape (N, classes)
    """

    streams: list[Tensor]
    values: Values
    logits: Tensor

    def value(self, target: PatchTarget) -> Tensor:
        """Return the whole activation at a target's kind and layer, (N, T, G, D)."""
        if target.kind in STREAM:
            return self.streams[target.sublayer][:, :, None]
        return self.values[target.kind, target.layer]

    def first(self, tokens: int) -> ActivationCache:
        """Leave all but the first tokens away."""
        streams = [stream[:, :tokens] for stream in self.streams]
        values = {key: value[:, :tokens] for key, value in self.values.items()}
        return ActivationCache(streams, values, self.logits)


def run_with_cache(
    vit: ResidualViT, start: Tensor, wanted: Iterable[Patch] = ()
) -> ActivationCache:
    """Run images and keep the activations at all targets of patches.

    Parameters
    ----------
    start : Tensor, shape (N, T, C)
        The residual stream before the first block.

    Raises
    ------
    FeatvizError
        If the model has no such targets.
    """
    targets = {target for patch in wanted for target in patch}
    check_targets(vit, targets)
    kinds: dict[int, set[str]] = {}
    for target in targets:
        kinds.setdefault(target.sublayer, set()).add(target.kind)
    streams, values = [start], Values()
    if vit.embedding:
        for kind in kinds.get(0, set()) & set(EMBEDDINGS):
            values[kind, 0] = vit.embedding.part(kind, start)
    for number, sublayer in enumerate(vit.sublayers):
        here = kinds.get(number, set())
        found: dict[str, Tensor] = {}
        with hooked(sublayer, {kind: partial(_keep, found, kind) for kind in here & set(INSIDE)}):
            branch = sublayer.branch(streams[-1])
        for kind in here & set(OUTPUTS):
            found[kind] = branch[:, :, None]
        values |= {(kind, number // 2): value for kind, value in found.items()}
        streams.append(streams[-1] + branch)
    return ActivationCache(streams, values, vit.finish(streams[-1]))


def check_donor(
    base: ActivationCache, donor: ActivationCache, targets: Iterable[PatchTarget]
) -> None:
    """Refuse a donor whose activations do not fit into the base's place.

    Raises
    ------
    FeatvizError
        If the runs differ in images, blocks, tokens, channels, heads or neurons, or one of them
        did not keep an activation.
    """
    shapes = [(len(run.streams) // 2, *run.streams[0].shape) for run in (base, donor)]
    if shapes[0] != shapes[1]:
        forms = ["{} blocks of {} x {} x {}".format(*shape) for shape in shapes]
        raise FeatvizError(
            f"the donor's run has {forms[1]} (images, tokens, channels), the base's {forms[0]}"
        )
    for kind, layer in {
        (target.kind, target.layer) for target in targets if target.kind not in STREAM
    }:
        for name, run in (("base", base), ("donor", donor)):
            if (kind, layer) not in run.values:
                raise FeatvizError(f"the {name}'s run kept no {kind} of block {layer}")
        own, other = base.values[kind, layer], donor.values[kind, layer]
        if own.shape != other.shape:
            raise FeatvizError(
                f"{kind} of block {layer} is of shape {tuple(other.shape)} in the donor's run, "
                f"and of {tuple(own.shape)} in the base's"
            )


def _keep(found: dict[str, Tensor], kind: str, value: Tensor) -> Tensor:
    found[kind] = value
    return value
