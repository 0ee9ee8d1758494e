"""Token pooling: read each unit at one position, or as the mean over the patch positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.models.sites import Site

MEAN = -1
"""Stands for the mean over the patch positions where a position is expected."""


class TokenPooling:
    """Pools the positions of a layer for a list of units, each in its own way.

    Parameters
    ----------
    site : Site
        The layer that owns the units.
    units : sequence of Unit
    device : torch.device
        Of the tensors that are pooled.

    Attributes
    ----------
    positions : list of int
        For each unit its position, prefix tokens counted, or `MEAN`.
    """

    def __init__(self, site: Site, units: Sequence[Unit], device: torch.device) -> None:
        self.positions = [_position(unit) for unit in units]
        self._positions = torch.tensor(self.positions, device=device)
        self._prefix = site.prefix

    def groups(self) -> list[tuple[int, Tensor]]:
        """Return each distinct position with the indices of the units that are read there."""
        return [
            (position, (self._positions == position).nonzero()[:, 0])
            for position in dict.fromkeys(self.positions)
        ]

    def pool_at(self, sequence: Tensor, position: int) -> Tensor:
        """Read a sequence at one position, or take the mean over its patch positions.

        Parameters
        ----------
        sequence : Tensor, shape (N, positions, C)
        position : int
            A position, or `MEAN`.

        Returns
        -------
        Tensor, shape (N, C)
        """
        if position == MEAN:
            return sequence[:, self._prefix :].mean(1)
        return sequence[:, position]

    def pool_columns(self, sequence: Tensor) -> Tensor:
        """Pool channel i as unit i is pooled.

        Parameters
        ----------
        sequence : Tensor, shape (N, positions, units)

        Returns
        -------
        Tensor, shape (N, units)
        """
        values = sequence.new_empty(len(sequence), len(self.positions))
        for position, columns in self.groups():
            values[:, columns] = self.pool_at(sequence[:, :, columns], position)
        return values

    def pool_rows(self, sequence: Tensor) -> Tensor:
        """Pool all channels of image i as unit i is pooled.

        Parameters
        ----------
        sequence : Tensor, shape (units, positions, C)
            Of one image for each unit.

        Returns
        -------
        Tensor, shape (units, C)
        """
        if set(self.positions) == {MEAN}:
            return self.pool_at(sequence, MEAN)
        rows = torch.arange(len(sequence), device=sequence.device)
        single = sequence[rows, self._positions.clamp_min(0)]
        if MEAN not in self.positions:
            return single
        return torch.where((self._positions == MEAN)[:, None], self.pool_at(sequence, MEAN), single)


def _position(unit: Unit) -> int:
    if unit.token == "cls":
        return 0
    if unit.token is None:
        return MEAN
    if not isinstance(unit.token, int):
        raise TypeError(f"{unit} is not read at a single position")
    return unit.token
