"""Layer readers: from the input of a layer to the values of some of its units, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.qk_logits import QKLogitReader
from featviz.activations.token_pooling import MAX, TokenPooling
from featviz.addressing.address import Unit
from featviz.addressing.directions import Direction
from featviz.models.hooks import Context, call_after_pre_hooks
from featviz.models.plain_layers import is_plain
from featviz.models.sites import Site


class LayerReader(Protocol):
    """Reads a fixed list of units that one layer owns.

    All methods take `inputs`, the layer's input for N images, in the layout of the layer, and
    `context`, the keyword arguments of its call.
    """

    def read_all(self, inputs: Tensor, context: Context, /) -> Tensor:
        """Return the value of every unit on every image, given `inputs` and `context`.

        Returns
        -------
        Tensor, shape (N, units)
        """
        ...

    def read_paired(self, inputs: Tensor, context: Context, /) -> Tensor:
        """Return the value of unit i on image i, given `inputs` and `context`.

        Returns
        -------
        Tensor, shape (units,)
        """
        ...

    def cosines(self, inputs: Tensor, context: Context, /) -> Tensor:
        """Return the cosine of unit i's direction and the layer's output on image i.

        For a logit, the cosine of its query and key. For a mean over positions, the mean cosine;
        for a maximum, the cosine at its position.

        Parameters
        ----------
        inputs : Tensor
        context : mapping

        Returns
        -------
        Tensor, shape (units,)
        """
        ...

    def features(self, inputs: Tensor, /) -> Tensor:
        """Return `inputs` arranged as (N, positions, channels)."""
        ...


def layer_reader(
    layer: nn.Module, site: Site, units: Sequence[Unit], norm: nn.Module | None = None
) -> LayerReader:
    """Choose the cheapest reader for units of a layer or attention.

    Linear layers and convolutions compute the rows of these units only. A layer whose forward pass
    differs from that of `torch.nn.Linear` or `torch.nn.Conv2d` (standardized weights, dynamic
    padding, an adapter, hooks) is run in full, as is a grouped convolution that is read along a
    direction.

    Parameters
    ----------
    layer : nn.Module
        The module at ``site.owner``.
    site : Site
    units : sequence of Unit
        Units of the site.
    norm : nn.Module, optional
        The normalization at ``site.norm``.

    Returns
    -------
    LayerReader
    """
    if site.is_logit:
        return QKLogitReader(layer, site, units, norm)
    if isinstance(layer, nn.Linear) and is_plain(layer, nn.Linear):
        return LinearReader(layer, site, units)
    if isinstance(layer, nn.Conv2d) and is_plain(layer, nn.Conv2d):
        has_direction = any(isinstance(unit.index, Direction) for unit in units)
        if layer.groups == 1 or not has_direction:
            return ConvolutionReader(layer, site, units)
    return FullLayerReader(layer, site, units)


def directions_of(site: Site, units: Sequence[Unit], device: torch.device) -> Tensor:
    """Write each unit as a direction in the output space of its layer.

    Parameters
    ----------
    site : Site
    units : sequence of Unit
        Units of the site.
    device : torch.device
        Of the result.

    Returns
    -------
    Tensor of float32, shape (units, width)
        One-hot for a neuron or channel.
    """
    directions = torch.zeros(len(units), site.width, dtype=torch.float32, device=device)
    for row, unit in enumerate(units):
        if isinstance(unit.index, Direction):
            directions[row] = torch.from_numpy(unit.index.vector)
        elif isinstance(unit.index, int):
            directions[row, unit.index] = 1
    return directions


class _RowReader:
    """The rows of a layer's weight that belong to the units, or sums of rows along directions."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, site: Site, units: Sequence[Unit]) -> None:
        device = layer.weight.device
        weight, bias = layer.weight.detach(), layer.bias
        self.weight: Tensor
        self.bias: Tensor | None
        if any(isinstance(unit.index, Direction) for unit in units):
            directions = directions_of(site, units, device).to(weight)
            rows = directions @ weight.flatten(1)
            self.weight = rows.view(len(units), *weight.shape[1:])
            self.bias = None if bias is None else directions @ bias.detach()
        else:
            index = torch.tensor([unit.index for unit in units], device=device)
            self.weight = weight[index]
            self.bias = None if bias is None else bias.detach()[index]
        self.pooling = TokenPooling(site, units, device)
        self._make_full = partial(FullLayerReader, layer, site, units)

    @cached_property
    def _full(self) -> FullLayerReader:
        return self._make_full()

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.cosines`. It takes all outputs of the layer."""
        return self._full.cosines(inputs, context)


class LinearReader(_RowReader):
    """Reads rows of a linear layer.

    The mean over tokens is taken before the matrix product, with which it commutes.

    Parameters
    ----------
    layer : nn.Linear
    site : Site
    units : sequence of Unit
        Units of the site.
    """

    def read_all(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.read_all`."""
        sequence = self.vectors(inputs, context)
        values = sequence.new_empty(len(inputs), len(self.weight))
        for position, columns in self.pooling.groups():
            bias = None if self.bias is None else self.bias[columns]
            if position == MAX:  # which does not commute with the product
                every = F.linear(sequence, self.weight[columns], bias)
                values[:, columns] = self.pooling.pool_at(every, MAX).to(values)
                continue
            pooled = self.pooling.pool_at(sequence, position)
            # Of another dtype inside the caller's autocast.
            values[:, columns] = F.linear(pooled, self.weight[columns], bias).to(values)
        return values

    def read_paired(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.read_paired`."""
        sequence = self.vectors(inputs, context)
        # At least float32: half precision would keep three digits of a sum over all channels.
        wide = torch.promote_types(sequence.dtype, torch.float32)
        pooled = self.pooling.pool_rows(sequence, self.pooling.locate(sequence, self.weight))
        values = (pooled.to(wide) * self.weight).sum(1)
        return values if self.bias is None else values + self.bias

    def vectors(self, inputs: Tensor, _context: Context) -> Tensor:
        """Return what the rows are multiplied with, (N, positions, channels)."""
        return self.features(inputs)

    def features(self, inputs: Tensor) -> Tensor:
        """See `LayerReader.features`."""
        return inputs[:, None] if inputs.ndim == 2 else inputs.flatten(1, -2)


class ConvolutionReader(_RowReader):
    """Reads filters of a convolution.

    Parameters
    ----------
    layer : nn.Conv2d
    site : Site
    units : sequence of Unit
        Units of the site; directions only where the convolution has a single group.
    """

    def __init__(self, layer: nn.Conv2d, site: Site, units: Sequence[Unit]) -> None:
        super().__init__(layer, site, units)
        self.layer = layer
        # A direction belongs to the only group.
        index = [0 if isinstance(unit.index, Direction) else unit.index for unit in units]
        filters_per_group = layer.out_channels // layer.groups
        self.group = torch.tensor(index, device=layer.weight.device) // filters_per_group

    def read_all(self, inputs: Tensor, _context: Context) -> Tensor:
        """See `LayerReader.read_all`."""
        count = len(self.weight)
        if self.layer.groups == 1:
            maps = self._convolve(inputs, self.weight, 1)
        else:
            own = self._grouped(inputs)[:, self.group].flatten(1, 2)
            maps = self._convolve(own, self.weight, count)
        if self.bias is not None:
            maps = maps + self.bias[:, None, None]
        return self.pooling.pool_columns(maps.flatten(2).mT)

    def read_paired(self, inputs: Tensor, _context: Context) -> Tensor:
        """See `LayerReader.read_paired`."""
        count = len(self.weight)
        own = self._grouped(inputs)[torch.arange(count, device=inputs.device), self.group]
        maps = self._convolve(own.flatten(0, 1)[None], self.weight, count)
        values = self.pooling.pool_values(maps[0].flatten(1))
        return values if self.bias is None else values + self.bias

    def features(self, inputs: Tensor) -> Tensor:
        """See `LayerReader.features`."""
        return inputs.flatten(2).mT

    def _grouped(self, inputs: Tensor) -> Tensor:
        return inputs.view(len(inputs), self.layer.groups, -1, *inputs.shape[2:])

    def _convolve(self, inputs: Tensor, weight: Tensor, groups: int) -> Tensor:
        layer = self.layer
        padding: str | tuple[int, ...] = layer.padding
        if layer.padding_mode != "zeros":
            sides = layer._reversed_padding_repeated_twice
            inputs, padding = F.pad(inputs, sides, mode=layer.padding_mode), (0, 0)
        return F.conv2d(inputs, weight, None, layer.stride, padding, layer.dilation, groups)


class FullLayerReader:
    """Reads units of any other layer: runs it, with its hooks, and selects channels.

    Parameters
    ----------
    layer : nn.Module
    site : Site
    units : sequence of Unit
        Units of the site.

    Attributes
    ----------
    directions : Tensor, shape (units, width)
        See `directions_of`.
    """

    def __init__(self, layer: nn.Module, site: Site, units: Sequence[Unit]) -> None:
        device = next(layer.parameters()).device
        self.layer = layer
        self.directions = directions_of(site, units, device)
        self.pooling = TokenPooling(site, units, device)

    def read_all(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.read_all`."""
        outputs = self.output(inputs, context)
        return self.pooling.pool_columns(outputs @ self.directions.to(outputs).mT)

    def read_paired(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.read_paired`."""
        outputs = self.output(inputs, context)
        positions = self.pooling.locate(outputs, self.directions)
        pooled = self.pooling.pool_rows(outputs, positions)
        return (pooled * self.directions.to(pooled)).sum(1)

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.cosines`."""
        outputs = self.output(inputs, context)
        positions = self.pooling.locate(outputs, self.directions)
        cosines = F.cosine_similarity(outputs, self.directions.to(outputs)[:, None], -1)
        return self.pooling.pool_rows(cosines[..., None], positions)[:, 0]

    def features(self, inputs: Tensor) -> Tensor:
        """See `LayerReader.features`."""
        return self._sequence(inputs)

    def output(self, inputs: Tensor, context: Context) -> Tensor:
        """Compute the output of the layer.

        Parameters
        ----------
        inputs : Tensor
            In the layout of the layer.
        context : mapping
            Keyword arguments of its call.

        Returns
        -------
        Tensor, shape (N, positions, channels)
        """
        return self._sequence(call_after_pre_hooks(self.layer, inputs, context))

    def _sequence(self, values: Tensor) -> Tensor:
        if values.ndim == 2:
            return values[:, None]
        if isinstance(self.layer, nn.Linear):
            return values.flatten(1, -2)
        return values.flatten(2).mT
