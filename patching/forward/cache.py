"""Unpatched runs: the residual stream at every half, the logits, and activations on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from featviz.errors import FeatvizError
from patching.interventions.targets import EMBEDDINGS, INSIDE, OUTPUTS, STREAM, Patch, Spot, check
from patching.vit.hook_points import tapped
from patching.vit.residual_vit import Trunk

Values = dict[tuple[str, int], Tensor]
"""Activations by kind and layer, each (N, T, G, D)."""


@dataclass(frozen=True)
class Run:
    """What a run of N images left.

    Attributes
    ----------
    streams : list of Tensor, each of shape (N, T, C)
        The residual stream before each half, and behind the last.
    values : Values
        The other activations that were asked for.
    logits : Tensor, shape (N, classes)
    """

    streams: list[Tensor]
    values: Values
    logits: Tensor

    def value(self, spot: Spot) -> Tensor:
        """Return the whole activation at a spot's kind and layer, (N, T, G, D)."""
        if spot.kind in STREAM:
            return self.streams[spot.half][:, :, None]
        return self.values[spot.kind, spot.layer]

    def first(self, tokens: int) -> Run:
        """Leave all but the first tokens away."""
        streams = [stream[:, :tokens] for stream in self.streams]
        values = {key: value[:, :tokens] for key, value in self.values.items()}
        return Run(streams, values, self.logits)


def run(trunk: Trunk, start: Tensor, wanted: Iterable[Patch] = ()) -> Run:
    """Run images and keep the activations at all spots of patches.

    Parameters
    ----------
    start : Tensor, shape (N, T, C)
        The residual stream before the first block.

    Raises
    ------
    FeatvizError
        If the model has no such spots.
    """
    spots = {spot for patch in wanted for spot in patch}
    check(trunk, spots)
    kinds: dict[int, set[str]] = {}
    for spot in spots:
        kinds.setdefault(spot.half, set()).add(spot.kind)
    streams, values = [start], Values()
    if trunk.stem:
        for kind in kinds.get(0, set()) & set(EMBEDDINGS):
            values[kind, 0] = trunk.stem.part(kind, start)
    for number, half in enumerate(trunk.halves):
        here = kinds.get(number, set())
        found: dict[str, Tensor] = {}
        with tapped(half, {kind: partial(_keep, found, kind) for kind in here & set(INSIDE)}):
            branch = half.branch(streams[-1])
        for kind in here & set(OUTPUTS):
            found[kind] = branch[:, :, None]
        values |= {(kind, number // 2): value for kind, value in found.items()}
        streams.append(streams[-1] + branch)
    return Run(streams, values, trunk.finish(streams[-1]))


def check_donor(base: Run, donor: Run, spots: Iterable[Spot]) -> None:
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
    for kind, layer in {(spot.kind, spot.layer) for spot in spots if spot.kind not in STREAM}:
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
