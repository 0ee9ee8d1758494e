"""Activation readers: from the input of a module to units that are no outputs of a layer.

A `featviz.activations.layer_readers.LayerReader` each. Of queries, keys, values and neurons, only
the required rows of the weights are computed; what a block adds to the residual stream, or the
stream itself, is the whole input or output of a module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.layer_readers import (
    FullLayerReader,
    LayerReader,
    LinearReader,
    directions_of,
)
from featviz.activations.token_pooling import TokenPooling
from featviz.addressing.address import Unit
from featviz.addressing.directions import Direction
from featviz.models.attention import Projection, require_heads
from featviz.models.blocks.activations import Source
from featviz.models.hooks import Context, call_after_pre_hooks
from featviz.models.plain_layers import is_plain
from featviz.models.sites import Site

Compute = Callable[[Tensor, Context], Tensor]
"""From the input of a module and the keyword arguments of its call to an activation."""


def activation_reader(module: nn.Module, site: Site, units: Sequence[Unit]) -> LayerReader:
    """Choose the cheapest reader for units of an activation.

    Parameters
    ----------
    module : nn.Module
        The whole model.
    site : Site
        Of kind ``"activation"``.
    units : sequence of Unit
        Units of the site.

    Returns
    -------
    LayerReader
    """
    source, owner = _source(site), module.get_submodule(site.owner)
    if source.vectors:
        projection = require_heads(owner, site.owner).projection(source.vectors)
        if isinstance(projection.norm, nn.Identity):
            return LinearReader(_as_linear(projection), site, units)
    has_direction = any(isinstance(unit.index, Direction) for unit in units)
    can_split = not has_direction and is_plain(owner, nn.Linear)
    if source.nonlinearity and can_split and isinstance(owner, nn.Linear):
        return NeuronReader(owner, module.get_submodule(source.nonlinearity), site, units)
    return full_reader(module, site, units)


def full_reader(module: nn.Module, site: Site, units: Sequence[Unit]) -> FullLayerReader:
    """Return a reader that computes all channels of a layer or activation.

    Parameters
    ----------
    module : nn.Module
        The whole model.
    site : Site
        Not logits.
    units : sequence of Unit
        Units of the site.

    Returns
    -------
    FullLayerReader
    """
    owner = module.get_submodule(site.owner)
    if site.kind == "layer":
        return FullLayerReader(owner, site, units)
    source = _source(site)
    if source.vectors:
        compute = _normalized(require_heads(owner, site.owner).projection(source.vectors))
    elif source.nonlinearity:
        compute = _then(module.get_submodule(source.nonlinearity), owner)
    elif source.side == "input":
        compute = _input
    else:
        scale = None if source.scale is None else module.get_parameter(source.scale).detach()
        compute = _output(owner, scale)
    return ActivationReader(compute, site, units, next(module.parameters()).device)


class ActivationReader(FullLayerReader):
    """Reads units of an activation that is computed as a whole.

    Parameters
    ----------
    compute : callable
        Computes the activation, (N, ..., channels), from the input of the site's owner.
    site : Site
    units : sequence of Unit
        Units of the site.
    device : torch.device
        Of the activation.
    """

    def __init__(
        self, compute: Compute, site: Site, units: Sequence[Unit], device: torch.device
    ) -> None:
        self.compute = compute
        self.directions = directions_of(site, units, device)
        self.pooling = TokenPooling(site, units, device)

    def output(self, inputs: Tensor, context: Context) -> Tensor:
        """See `FullLayerReader.output`."""
        return self._sequence(self.compute(inputs, context))

    def _sequence(self, values: Tensor) -> Tensor:
        return values.flatten(1, -2)


class NeuronReader(LinearReader):
    """Reads neurons after their nonlinearity, from rows of the layer before it.

    Parameters
    ----------
    layer : nn.Linear
        The layer before the nonlinearity.
    nonlinearity : nn.Module
        Acts on every value by itself.
    site : Site
    units : sequence of Unit
        Units of the site, none of them a direction.
    """

    def __init__(
        self, layer: nn.Linear, nonlinearity: nn.Module, site: Site, units: Sequence[Unit]
    ) -> None:
        super().__init__(layer, site, units)
        self.nonlinearity = nonlinearity
        device = layer.weight.device
        self._whole = ActivationReader(_then(nonlinearity, layer), site, units, device)

    def read_all(self, inputs: Tensor, _context: Context) -> Tensor:
        """See `LayerReader.read_all`."""
        values = F.linear(self.features(inputs), self.weight, self.bias)
        return self.pooling.pool_columns(self.nonlinearity(values))

    def read_paired(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.read_paired`."""
        return self.read_open(inputs, context)[0]

    def read_open(self, inputs: Tensor, _context: Context) -> tuple[Tensor, Tensor]:
        """Read unit i on image i, with the value of its pre-activation.

        Parameters
        ----------
        inputs : Tensor
            Input of the layer before the nonlinearity.
        _context : mapping
            Keyword arguments of its call.

        Returns
        -------
        values, before : Tensor, shape (units,)
            After and before the nonlinearity, pooled alike.
        """
        sequence = self.features(inputs)
        wide = torch.promote_types(inputs.dtype, torch.float32)
        before = torch.bmm(sequence.to(wide), self.weight[..., None].to(wide))[..., 0]
        if self.bias is not None:
            before = before + self.bias[:, None]
        after = self.nonlinearity(before.clone())  # it may work in place
        return self.pooling.pool_values(after), self.pooling.pool_values(before)

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.cosines`. It takes all neurons of the layer."""
        return self._whole.cosines(inputs, context)


def _source(site: Site) -> Source:
    if site.source is None:
        raise ValueError(f"{site.path} is no activation")
    return site.source


def _as_linear(projection: Projection) -> nn.Linear:
    """Return the projection to the vectors of all heads, without their normalization."""
    weight, bias = projection.weight.flatten(0, 1), projection.bias
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias is not None, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.flatten(), requires_grad=False)
    return layer


def _normalized(projection: Projection) -> Compute:
    heads, layer = len(projection.weight), _as_linear(projection)

    def compute(inputs: Tensor, _context: Context) -> Tensor:
        vectors = layer(inputs.flatten(1, -2)).unflatten(-1, (heads, -1))
        return projection.norm(vectors).flatten(-2)

    return compute


def _then(nonlinearity: nn.Module, layer: nn.Module) -> Compute:
    def compute(inputs: Tensor, context: Context) -> Tensor:
        found: Tensor = nonlinearity(call_after_pre_hooks(layer, inputs, context))
        return found

    return compute


def _input(inputs: Tensor, _context: Context) -> Tensor:
    return inputs


def _output(module: nn.Module, scale: Tensor | None) -> Compute:
    def compute(inputs: Tensor, context: Context) -> Tensor:
        output = call_after_pre_hooks(module, inputs, context)
        found: Tensor = output[0] if isinstance(output, tuple) else output
        return found if scale is None else found * scale

    return compute
