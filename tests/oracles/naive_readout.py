"""Values of units by a forward hook on the whole model, one unit at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from featviz.addressing.address import Unit


def naive_readout(
    module: nn.Module, inputs: Tensor, unit: Unit, owner: str, prefix: int = 0
) -> Tensor:
    """Run the whole module and read a unit from the output of the layer `owner`, shape (N,).

    The output of a linear layer is (N, ..., units), that of a convolution (N, units, ...).

    Parameters
    ----------
    module : nn.Module
    inputs : Tensor
        Normalized images, as the module takes them.
    unit : Unit
    owner : str
        Path of the layer.
    prefix : int
        Number of tokens before the patches at this layer.
    """
    assert isinstance(unit.index, int)
    layer = module.get_submodule(owner)
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
    module(inputs)
    handle.remove()
    (output,) = outputs
    channel = output[..., unit.index] if isinstance(layer, nn.Linear) else output[:, unit.index]
    values = channel.reshape(len(inputs), -1)
    if unit.token is None:
        return values[:, prefix:].sum(1) / (values.shape[1] - prefix)
    token = 0 if unit.token == "cls" else unit.token
    assert isinstance(token, int)
    return values[:, token]


def naive_gradient(
    module: nn.Module, inputs: Tensor, unit: Unit, owner: str, prefix: int = 0
) -> Tensor:
    """Differentiate the sum of a unit over images with respect to them; see `naive_readout`."""
    inputs = inputs.detach().requires_grad_()
    total = naive_readout(module, inputs, unit, owner, prefix).sum()
    (gradient,) = torch.autograd.grad(total, inputs)
    return gradient
