"""Where the units of a layer are read: at one position each, or as the mean over patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.models.sites import Site

MEAN = -1  # stands for "mean over the patch positions" where a position is asked for


class Places:
    """Where each of a list of units is read: at one position, or as the mean over patches."""

    def __init__(self, site: Site, units: Sequence[Unit], device: torch.device) -> None:
        self.positions = [_position(unit) for unit in units]
        self._index = torch.tensor(self.positions, device=device)
        self._prefix = site.prefix

    def groups(self) -> list[tuple[int, Tensor]]:
        """List each position that is read, with the columns of the units read there."""
        return [
            (position, (self._index == position).nonzero()[:, 0])
            for position in dict.fromkeys(self.positions)
        ]

    def at(self, sequence: Tensor, position: int) -> Tensor:
        """Read (N, positions, C) at one position, or as the mean over patches: (N, C)."""
        if position == MEAN:
            return sequence[:, self._prefix :].mean(1)
        return sequence[:, position]

    def read(self, sequence: Tensor) -> Tensor:
        """Read column i of (N, positions, units) where unit i is: (N, units)."""
        values = sequence.new_empty(len(sequence), len(self.positions))
        for position, columns in self.groups():
            values[:, columns] = self.at(sequence[:, :, columns], position)
        return values

    def pick(self, sequence: Tensor) -> Tensor:
        """Read row i of (N, positions, C) where unit i is: (N, C)."""
        if set(self.positions) == {MEAN}:
            return self.at(sequence, MEAN)
        rows = torch.arange(len(sequence), device=sequence.device)
        single = sequence[rows, self._index.clamp_min(0)]
        if MEAN not in self.positions:
            return single
        return torch.where((self._index == MEAN)[:, None], self.at(sequence, MEAN), single)


def _position(unit: Unit) -> int:
    if unit.token == "cls":
        return 0
    if unit.token is None:
        return MEAN
    if not isinstance(unit.token, int):
        raise TypeError(f"{unit} is read at no single position")
    return unit.token
