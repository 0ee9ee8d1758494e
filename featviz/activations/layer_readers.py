"""From the input of a layer to the values of a few of its units, and of no others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.qk_logits import QKLogitReader
from featviz.activations.token_pooling import Places
from featviz.addressing.address import Unit
from featviz.addressing.directions import Direction
from featviz.models.hooks import Context
from featviz.models.sites import Site


class LayerReader(Protocol):
    """The units that one layer owns, out of a fixed list.

    The context of a call are the keyword arguments of the layer's.
    """

    def every(self, inputs: Tensor, context: Context, /) -> Tensor:
        """Read every unit on every image, shape (N, units)."""
        ...

    def paired(self, inputs: Tensor, context: Context, /) -> Tensor:
        """Read unit i on image i, shape (units,)."""
        ...

    def cosines(self, inputs: Tensor, context: Context, /) -> Tensor:
        """Read the cosine of unit i's direction and what the layer puts out of image i.

        Where the unit is a mean over positions, so is the cosine. Shape (units,).
        """
        ...

    def features(self, inputs: Tensor, /) -> Tensor:
        """Arrange the layer's input as (N, positions, channels)."""
        ...


def layer_reader(
    layer: nn.Module, site: Site, units: Sequence[Unit], norm: nn.Module | None = None
) -> LayerReader:
    """Choose the cheapest way to read units of a layer or attention.

    A layer that changes what a linear layer or convolution computes (standardized weights,
    dynamic padding) is run whole, as is a grouped convolution read along a direction.

    Parameters
    ----------
    norm : nn.Module, optional
        The normalization at ``site.norm``.
    """
    if site.kind != "layer":
        return QKLogitReader(layer, site, units, norm)
    # Asked of the layer, not of its class: its own forward may have been replaced.
    forward = getattr(layer.forward, "__func__", None)
    if isinstance(layer, nn.Linear) and forward is nn.Linear.forward:
        return LinearReader(layer, site, units)
    if isinstance(layer, nn.Conv2d) and forward is nn.Conv2d.forward:
        directed = any(isinstance(unit.index, Direction) for unit in units)
        if layer.groups == 1 or not directed:
            return ConvolutionReader(layer, site, units)
    return FullLayerReader(layer, site, units)


def directions_of(site: Site, units: Sequence[Unit], device: torch.device) -> Tensor:
    """Write each unit as a direction among the outputs of its layer, shape (units, width)."""
    directions = torch.zeros(len(units), site.width, device=device)
    for number, unit in enumerate(units):
        if isinstance(unit.index, Direction):
            directions[number] = torch.from_numpy(unit.index.vector)
        elif isinstance(unit.index, int):
            directions[number, unit.index] = 1
    return directions


def _own_weights(
    layer: nn.Linear | nn.Conv2d, site: Site, units: Sequence[Unit]
) -> tuple[Tensor, Tensor | None]:
    """Take weight and bias of the units: rows of the layer's, or sums of them along directions."""
    weight, bias = layer.weight.detach(), layer.bias
    if any(isinstance(unit.index, Direction) for unit in units):
        directions = directions_of(site, units, weight.device).to(weight)
        rows = directions @ weight.flatten(1)
        biases = None if bias is None else directions @ bias.detach()
        return rows.view(len(units), *weight.shape[1:]), biases
    index = torch.tensor([unit.index for unit in units], device=weight.device)
    return weight[index], None if bias is None else bias.detach()[index]


class LinearReader:
    """Rows of a linear layer. The mean over tokens is taken before the product: it commutes."""

    def __init__(self, layer: nn.Linear, site: Site, units: Sequence[Unit]) -> None:
        self.weight, self.bias = _own_weights(layer, site, units)
        self.places = Places(site, units, layer.weight.device)
        self._make_whole = partial(FullLayerReader, layer, site, units)

    def every(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read every unit on every image, shape (N, units)."""
        sequence = self.features(inputs)
        values = inputs.new_empty(len(inputs), len(self.weight))
        for position, columns in self.places.groups():
            bias = None if self.bias is None else self.bias[columns]
            inputs_there = self.places.at(sequence, position)
            values[:, columns] = F.linear(inputs_there, self.weight[columns], bias)
        return values

    def paired(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read unit i on image i, shape (units,)."""
        # Half precision would leave three digits of a sum over all channels.
        wide = torch.promote_types(inputs.dtype, torch.float32)
        values = (self.places.pick(self.features(inputs)).to(wide) * self.weight).sum(1)
        return values if self.bias is None else values + self.bias

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """Read the cosine of unit i's direction and the layer's output on image i."""
        return self._whole.cosines(inputs, context)

    @cached_property
    def _whole(self) -> FullLayerReader:
        return self._make_whole()

    def features(self, inputs: Tensor) -> Tensor:
        """Arrange the layer's input as (N, positions, channels)."""
        return inputs[:, None] if inputs.ndim == 2 else inputs.flatten(1, -2)


class ConvolutionReader:
    """Filters of a convolution."""

    def __init__(self, layer: nn.Conv2d, site: Site, units: Sequence[Unit]) -> None:
        device = layer.weight.device
        self.layer = layer
        self.weight, self.bias = _own_weights(layer, site, units)
        # A direction has no group of its own; it is read here only where there is a single one.
        index = [0 if isinstance(unit.index, Direction) else unit.index for unit in units]
        self.group = torch.tensor(index, device=device) // (layer.out_channels // layer.groups)
        self.places = Places(site, units, device)
        self._make_whole = partial(FullLayerReader, layer, site, units)

    def every(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read every unit on every image, shape (N, units)."""
        count = len(self.weight)
        if self.layer.groups == 1:
            maps = self._convolve(inputs, self.weight, 1)
        else:
            seen = self._grouped(inputs)[:, self.group].flatten(1, 2)
            maps = self._convolve(seen, self.weight, count)
        if self.bias is not None:
            maps = maps + self.bias[:, None, None]
        return self.places.read(maps.flatten(2).mT)

    def paired(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read unit i on image i, shape (units,)."""
        count = len(self.weight)
        seen = self._grouped(inputs)[torch.arange(count, device=inputs.device), self.group]
        maps = self._convolve(seen.flatten(0, 1)[None], self.weight, count)
        values = self.places.pick(maps[0].flatten(1)[:, :, None])[:, 0]
        return values if self.bias is None else values + self.bias

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """Read the cosine of unit i's direction and the layer's output on image i."""
        return self._whole.cosines(inputs, context)

    @cached_property
    def _whole(self) -> FullLayerReader:
        return self._make_whole()

    def features(self, inputs: Tensor) -> Tensor:
        """Arrange the layer's input as (N, positions, channels)."""
        return inputs.flatten(2).mT

    def _grouped(self, inputs: Tensor) -> Tensor:
        return inputs.view(len(inputs), self.layer.groups, -1, *inputs.shape[2:])

    def _convolve(self, inputs: Tensor, weight: Tensor, groups: int) -> Tensor:
        layer = self.layer
        padding: str | tuple[int, ...] = layer.padding
        if layer.padding_mode != "zeros":
            around = layer._reversed_padding_repeated_twice
            inputs, padding = F.pad(inputs, around, mode=layer.padding_mode), (0, 0)
        return F.conv2d(inputs, weight, None, layer.stride, padding, layer.dilation, groups)


class FullLayerReader:
    """Any other layer: it is run, without its hooks, and the wanted channels are kept."""

    def __init__(self, layer: nn.Module, site: Site, units: Sequence[Unit]) -> None:
        device = next(layer.parameters()).device
        self.layer = layer
        self.directions = directions_of(site, units, device)
        self.places = Places(site, units, device)

    def every(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read every unit on every image, shape (N, units)."""
        outputs = self.output(inputs)
        return self.places.read(outputs @ self.directions.to(outputs).mT)

    def paired(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read unit i on image i, shape (units,)."""
        place = self.places.pick(self.output(inputs))
        return (place * self.directions.to(place)).sum(1)

    def cosines(self, inputs: Tensor, _context: Context) -> Tensor:
        """Read the cosine of unit i's direction and the layer's output on image i."""
        outputs = self.output(inputs)
        cosines = F.cosine_similarity(outputs, self.directions.to(outputs)[:, None], -1)
        return self.places.pick(cosines[..., None])[:, 0]

    def features(self, inputs: Tensor) -> Tensor:
        """Arrange the layer's input as (N, positions, channels)."""
        return self._sequence(inputs)

    def output(self, inputs: Tensor) -> Tensor:
        """Compute all that the layer puts out, shape (N, positions, channels)."""
        return self._sequence(self.layer.forward(inputs))

    def _sequence(self, values: Tensor) -> Tensor:
        if values.ndim == 2:
            return values[:, None]
        if isinstance(self.layer, nn.Linear):
            return values.flatten(1, -2)
        return values.flatten(2).mT
