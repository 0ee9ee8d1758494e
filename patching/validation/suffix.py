"""Runs with one neuron changed: its change is of rank one in the stream, and the rest runs on.

What a neuron of an MLP adds to the residual stream is its activation times one direction, a column
of the MLP's last layer. So a patched run needs nothing of the MLP: the unpatched stream behind it,
plus the change of the activation at each token times that direction, goes through what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from patching.forward.cache import ActivationCache
from patching.forward.memory import rows_that_fit
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer


@dataclass(frozen=True)
class Reading:
    """What an MLP does on N images.

    Attributes
    ----------
    neurons : Tensor, shape (N, T, F)
        After the nonlinearity.
    branch : Tensor, shape (N, T, C)
        What it adds to the stream.
    """

    neurons: Tensor
    branch: Tensor


@dataclass(frozen=True)
class Suffix:
    """The MLP of one block, and all that comes behind it."""

    vit: ResidualViT
    layer: int

    def __post_init__(self) -> None:
        """Refuse an MLP whose neurons do not each write one direction.

        Raises
        ------
        FeatvizError
            If its norm comes behind it, or its `fc1` and `fc2` are not the two sides of the
            neurons.
        """
        sublayer = self.sublayer
        if not sublayer.norm_first:
            raise FeatvizError(f"{sublayer.path} has its norm behind it, so no neuron writes alone")
        wide, last = (getattr(sublayer.core, name, None) for name in ("fc1", "fc2"))
        layers = (
            isinstance(wide, nn.Linear) and isinstance(last, nn.Linear) and sublayer.last is last
        )
        if not layers or wide.out_features != last.in_features:  # type: ignore[union-attr]
            raise FeatvizError(f"{sublayer.path} is not fc1, a nonlinearity and fc2 in a row")

    @property
    def sublayer(self) -> Sublayer:
        """The MLP, with its norm and scale."""
        return self.vit.sublayers[2 * self.layer + 1]

    @property
    def tokens(self) -> int:
        """How many of the first tokens behind the MLP anything is read from."""
        last = self.layer == self.vit.depth - 1
        return self.vit.read if last else self.vit.tokens

    @cached_property
    def directions(self) -> Tensor:
        """What each neuron writes, shape (F, C)."""
        core: Any = self.sublayer.core
        with torch.no_grad():
            writing: Tensor = core.fc2.weight.T.contiguous()
            # Of LayerScale too: what it makes of a vector does not depend on others.
            return self.sublayer.behind(writing)

    def read(self, stream: Tensor) -> Reading:
        """Run the MLP on the stream before it, (N, T, C)."""
        found: list[Tensor] = []

        def keep(value: Tensor) -> Tensor:
            found.append(value[..., 0])
            return value

        with hooked(self.sublayer, {"neurons": keep}):
            branch = self.sublayer.branch(stream)
        return Reading(found[0], branch)

    def finish(self, behind: Tensor) -> Tensor:
        """Carry the stream behind the MLP, or its first `tokens`, to the logits."""
        sublayers = self.vit.sublayers
        for number in range(2 * self.layer + 2, len(sublayers)):
            if number == len(sublayers) - 1:
                behind = behind[:, : self.vit.read]
            behind = behind + sublayers[number].branch(behind)
        return self.vit.finish(behind[:, : self.vit.read])

    def logits(self, behind: Tensor, images: Tensor, shifts: Tensor, directions: Tensor) -> Tensor:
        """Run images with a neuron changed in each.

        Parameters
        ----------
        behind : Tensor, shape (N, T, C)
            The stream behind the MLP in unpatched runs.
        images : Tensor, shape (R,)
            Which of the N images each run is of.
        shifts : Tensor, shape (R, T)
            By how much the neuron's activation changes at each token.
        directions : Tensor, shape (C,) or (R, C)
            What the neuron writes.

        Returns
        -------
        Tensor, shape (R, classes)
            float64, on the processor.
        """
        kept, found = self.tokens, []
        directions = directions.expand(len(images), -1)
        with torch.no_grad():
            for part in self.parts(behind, len(images)):
                change = shifts[part, :kept, None] * directions[part, None]
                found.append(self.finish(behind[images[part], :kept] + change).double().cpu())
        return torch.cat(found)

    def parts(self, behind: Tensor, rows: int) -> Iterator[slice]:
        """Cut rows into as many as run at once."""
        size = rows_that_fit(self.vit, ActivationCache([behind], {}, behind.new_zeros(0)))
        return (slice(start, start + size) for start in range(0, rows, size))
