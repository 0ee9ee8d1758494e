"""A transformer block in two sublayers: what attention and MLP each add to the residual stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

Part = Literal["attn", "mlp"]
Context = Mapping[str, Any]
"""Keyword arguments with which the model calls a block, such as ``rope``."""


@dataclass(frozen=True)
class Sublayer:
    """The attention or the MLP of a block, with its normalization and scale.

    Attributes
    ----------
    path : str
        Of the block's part in the model, such as ``blocks.3.attn``.
    core : nn.Module
        The attention or MLP itself.
    norm : nn.Module
    norm_first : bool
        Whether the normalization comes before the core (pre-norm) or behind it (post-norm).
    scale : nn.Module or Tensor or None
        LayerScale, of pre-norm blocks.
    context : mapping
        Keyword arguments of the attention.
    last : nn.Module or None
        The layer whose output is what the core puts out, if there is one; its input is `z`, or the
        neurons.
    """

    path: str
    core: nn.Module
    norm: nn.Module
    norm_first: bool
    scale: nn.Module | Tensor | None
    context: Context
    last: nn.Module | None = None

    def branch(self, residual: Tensor) -> Tensor:
        """Compute what is added to the residual stream (N, T, C)."""
        return self.behind(self.core(self.before(residual), **self.context))

    def before(self, residual: Tensor) -> Tensor:
        """Compute what the core reads of the residual stream."""
        return self.norm(residual) if self.norm_first else residual

    def behind(self, output: Tensor) -> Tensor:
        """Compute what is added to the residual stream from what the core puts out."""
        if not self.norm_first:
            output = self.norm(output)
        if isinstance(self.scale, nn.Module):
            return self.scale(output)  # type: ignore[no-any-return]  # modules are untyped
        return output if self.scale is None else output * self.scale


def with_last(sublayer: Sublayer, residual: Tensor) -> Sublayer:
    """Find the layer that ends the core of a sublayer, by running it."""
    layer = getattr(sublayer.core, "fc2", getattr(sublayer.core, "proj", None))
    if not isinstance(layer, nn.Module):
        return sublayer
    outputs: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
    try:
        output = sublayer.core(sublayer.before(residual), **sublayer.context)
    finally:
        hook.remove()
    ends = len(outputs) == 1 and torch.equal(outputs[0], output)
    return replace(sublayer, last=layer) if ends else sublayer


def sublayers_of(
    path: str, block: nn.Module, context: Context, norm_first: bool
) -> list[Sublayer] | None:
    """Take a block apart; None if it has not the parts of a sequential block.

    Whether the two sublayers give what the block gives is for the caller to compare.

    Parameters
    ----------
    path : str
        Of the block.
    context : mapping
        Keyword arguments of the block's call, which it hands on to its attention.
    """
    sublayers = []
    for number, (part, core) in enumerate((("attn", "attn"), ("mlp", "mlp")), 1):
        module, norm = getattr(block, core, None), getattr(block, f"norm{number}", None)
        if not isinstance(module, nn.Module) or not isinstance(norm, nn.Module):
            return None
        scale = getattr(block, f"ls{number}", getattr(block, f"gamma_{number}", None))
        handed = context if part == "attn" else {}
        sublayers.append(Sublayer(f"{path}.{core}", module, norm, norm_first, scale, handed))
    return sublayers
