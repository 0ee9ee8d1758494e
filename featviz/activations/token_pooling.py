"""Token pooling: read each unit at one position, or as mean or maximum over the patch positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.models.sites import Site

MEAN, MAX = -1, -2
"""Stand for the mean and the maximum over the patch positions where a position is expected."""


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
        For each unit its position, prefix tokens counted, or `MEAN` or `MAX`.
    """

    def __init__(self, site: Site, units: Sequence[Unit], device: torch.device) -> None:
        self.positions = [_position(unit) for unit in units]
        self._positions = torch.tensor(self.positions, device=device)
        # Made here: finding them in a tensor would make the CPU wait for a GPU in every step.
        self._rows = {
            position: torch.tensor(
                [row for row, own in enumerate(self.positions) if own == position], device=device
            )
            for position in dict.fromkeys(self.positions)
        }
        self._prefix = site.prefix

    def groups(self) -> list[tuple[int, Tensor]]:
        """Return each distinct position with the indices of the units that are read there."""
        return list(self._rows.items())

    def pool_at(self, sequence: Tensor, position: int) -> Tensor:
        """Read a sequence at one position, or take mean or maximum over its patch positions.

        Parameters
        ----------
        sequence : Tensor, shape (N, positions, C)
        position : int
            A position, `MEAN` or `MAX`. The gradient of a maximum flows to one position.

        Returns
        -------
        Tensor, shape (N, C)
        """
        if position == MEAN:
            return sequence[:, self._prefix :].mean(1)
        if position == MAX:
            return sequence[:, self._prefix :].max(1).values
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

    def locate(self, sequence: Tensor, directions: Tensor) -> Tensor:
        """Find the position at which each unit is read on its own image.

        Parameters
        ----------
        sequence : Tensor, shape (units, positions, C)
            Of one image for each unit.
        directions : Tensor, shape (units, C)
            The value of a unit at a position is the dot product with its direction, and a constant.

        Returns
        -------
        Tensor of int64, shape (units,)
            `positions`, with `MAX` replaced by the patch position of the largest value.
        """
        if MAX not in self._rows:
            return self._positions
        rows = self._rows[MAX]
        with torch.no_grad():
            # At least float32: neighbors that round to the same value would be confused.
            wide = torch.promote_types(sequence.dtype, torch.float32)
            patches = sequence[rows, self._prefix :].to(wide)
            values = torch.bmm(patches, directions[rows, :, None].to(wide))
            largest = values[..., 0].argmax(1) + self._prefix
        return self._positions.index_copy(0, rows, largest)

    def pool_rows(self, sequence: Tensor, positions: Tensor) -> Tensor:
        """Pool all channels of image i as unit i is pooled.

        Parameters
        ----------
        sequence : Tensor, shape (units, positions, C)
            Of one image for each unit.
        positions : Tensor of int64, shape (units,)
            Of `locate`.

        Returns
        -------
        Tensor, shape (units, C)
        """
        if self._rows.keys() == {MEAN}:
            return self.pool_at(sequence, MEAN)
        rows = torch.arange(len(sequence), device=sequence.device)
        single = sequence[rows, positions.clamp_min(0)]
        if MEAN not in self._rows:
            return single
        return torch.where((positions == MEAN)[:, None], self.pool_at(sequence, MEAN), single)

    def pool_values(self, values: Tensor) -> Tensor:
        """Pool the values of unit i at all positions of image i.

        Parameters
        ----------
        values : Tensor, shape (units, positions)

        Returns
        -------
        Tensor, shape (units,)
        """
        sequence = values[..., None]
        positions = self.locate(sequence, torch.ones_like(sequence[:, 0]))
        return self.pool_rows(sequence, positions)[:, 0]


def _position(unit: Unit) -> int:
    if unit.token == "cls":
        return 0
    if unit.token is None:
        return MEAN
    if unit.token == "max":
        return MAX
    if not isinstance(unit.token, int):
        raise TypeError(f"{unit} is not read at a single position")
    return unit.token
