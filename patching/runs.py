"""Unpatched runs: the residual stream at every half, the logits, and activations on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from patching.spots import INSIDE, OUTPUTS, STREAM, Patch, Spot
from patching.taps import tapped
from patching.trunk import Trunk

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


def run(trunk: Trunk, start: Tensor, wanted: Iterable[Patch] = ()) -> Run:
    """Run images and keep the activations at all spots of patches.

    Parameters
    ----------
    start : Tensor, shape (N, T, C)
        The residual stream before the first block.
    """
    kinds: dict[int, set[str]] = {}
    for spot in {spot for patch in wanted for spot in patch if spot.kind not in STREAM}:
        kinds.setdefault(spot.half, set()).add(spot.kind)
    streams, values = [start], Values()
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


def _keep(found: dict[str, Tensor], kind: str, value: Tensor) -> Tensor:
    found[kind] = value
    return value
