"""A transformer block as two sublayers: attention and MLP, each adding to the residual stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from featviz.models.hooks import Call, Context, record

Part = Literal["attn", "mlp"]
PARTS: tuple[Part, Part] = ("attn", "mlp")


@dataclass(frozen=True)
class Sublayer:
    """The attention or the MLP of a block, with its normalization and LayerScale.

    Attributes
    ----------
    path : str
        Path of the core in the model, such as ``blocks.3.attn``.
    core : nn.Module
        The attention or MLP itself.
    norm : nn.Module
    norm_first : bool
        Whether the normalization precedes the core (pre-norm) or follows it (post-norm).
    scale : nn.Module or Tensor or None
        LayerScale of pre-norm blocks.
    context : mapping
        Keyword arguments of the attention.
    last : nn.Module or None
        The layer of the core whose output is the core's output, if there is one. Its input is `z`
        or the neurons.
    """

    path: str
    core: nn.Module
    norm: nn.Module
    norm_first: bool
    scale: nn.Module | Tensor | None
    context: Context
    last: nn.Module | None = None

    def branch(self, residual: Tensor) -> Tensor:
        """Compute what the sublayer adds to the residual stream.

        Parameters
        ----------
        residual : Tensor, shape (N, T, C)
            The residual stream before the sublayer.

        Returns
        -------
        Tensor, shape (N, T, C)
        """
        return self.write(self.core(self.read(residual), **self.context))

    def read(self, residual: Tensor) -> Tensor:
        """Return the input of the core, (N, T, C), given the stream `residual`, (N, T, C)."""
        return self.norm(residual) if self.norm_first else residual

    def write(self, output: Tensor) -> Tensor:
        """Return what is added to the stream, (N, T, C), given the core's `output`, (N, T, C)."""
        if not self.norm_first:
            output = self.norm(output)
        if isinstance(self.scale, nn.Module):
            return self.scale(output)  # type: ignore[no-any-return]  # modules are untyped
        return output if self.scale is None else output * self.scale


def with_last(sublayer: Sublayer, residual: Tensor) -> Sublayer:
    """Find the layer that computes the output of a sublayer's core, by running the core.

    Parameters
    ----------
    sublayer : Sublayer
    residual : Tensor, shape (N, T, C)
        A residual stream to run it on.

    Returns
    -------
    Sublayer
        With `last` set, if such a layer exists.
    """
    name = next((name for name in ("fc2", "proj") if hasattr(sublayer.core, name)), "")
    layer = getattr(sublayer.core, name, None)
    if not isinstance(layer, nn.Module):
        return sublayer
    calls: list[Call] = []
    with record(sublayer.core, [name], calls.append):
        output = sublayer.core(sublayer.read(residual), **sublayer.context)
    is_last = len(calls) == 1 and torch.equal(calls[0].output, output)
    return replace(sublayer, last=layer) if is_last else sublayer


def sublayers_of(
    path: str, block: nn.Module, context: Context, norm_first: bool
) -> list[Sublayer] | None:
    """Split a block into its two sublayers.

    The caller checks that the two sublayers together compute what the block computes.

    Parameters
    ----------
    path : str
        Path of the block.
    block : nn.Module
    context : mapping
        Keyword arguments of the block's call, which the block passes on to its attention.
    norm_first : bool
        Whether to treat the block as pre-norm.

    Returns
    -------
    list of Sublayer or None
        Attention and MLP; None if the block lacks a part of a sequential block.
    """
    sublayers = []
    for number, part in enumerate(PARTS, 1):
        core, norm = getattr(block, part, None), getattr(block, f"norm{number}", None)
        if not isinstance(core, nn.Module) or not isinstance(norm, nn.Module):
            return None
        scale = getattr(block, f"ls{number}", getattr(block, f"gamma_{number}", None))
        arguments = context if part == "attn" else {}
        sublayers.append(Sublayer(f"{path}.{part}", core, norm, norm_first, scale, arguments))
    return sublayers
