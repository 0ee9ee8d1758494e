"""Normalization of the input of a sparse autoencoder, token by token."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Normalization = Literal["none", "layer_norm", "constant_norm"]
"""``layer_norm``: zero mean and unit standard deviation over the channels, the deviation unbiased
and with 1e-5 added to it, unlike in `torch.nn.LayerNorm`. ``constant_norm``: the Euclidean norm is
the square root of the width. Both as in SAELens and Prisma."""

_EPSILON = 1e-5


def normalize(inputs: Tensor, kind: Normalization) -> Tensor:
    """Normalize activations.

    Parameters
    ----------
    inputs : Tensor, shape (..., width)
    kind : str
        See `Normalization`.

    Returns
    -------
    Tensor, shape (..., width)
    """
    if kind == "layer_norm":
        centered = inputs - inputs.mean(-1, keepdim=True)
        deviation: Tensor = centered.std(-1, keepdim=True)
        return centered / (deviation + _EPSILON)
    if kind == "constant_norm":
        norm: Tensor = inputs.norm(dim=-1, keepdim=True)
        return inputs * (math.sqrt(inputs.shape[-1]) / norm)
    return inputs


def output_scale(inputs: Tensor, kind: Normalization) -> Tensor:
    """Return the factor of each token by which `restore` multiplies.

    Parameters
    ----------
    inputs : Tensor, shape (..., width)
        The activations before `normalize`.
    kind : str
        See `Normalization`.

    Returns
    -------
    Tensor, shape (..., 1)
        1 without normalization.
    """
    if kind == "layer_norm":
        return inputs.std(-1, keepdim=True)
    if kind == "constant_norm":
        norm: Tensor = inputs.norm(dim=-1, keepdim=True)
        return norm / math.sqrt(inputs.shape[-1])
    return torch.ones_like(inputs[..., :1])


def restore(outputs: Tensor, inputs: Tensor, kind: Normalization) -> Tensor:
    """Give a reconstruction of normalized activations the mean and scale of the activations.

    After ``layer_norm`` it is multiplied by the standard deviation without 1e-5, as the libraries
    do.

    Parameters
    ----------
    outputs : Tensor, shape (..., output width)
    inputs : Tensor, shape (..., width)
        The activations before `normalize`.
    kind : str
        See `Normalization`.

    Returns
    -------
    Tensor, shape (..., output width)
    """
    if kind == "none":
        return outputs
    scaled = outputs * output_scale(inputs, kind)
    return scaled + inputs.mean(-1, keepdim=True) if kind == "layer_norm" else scaled
