"""A transformer block in two halves: what attention and MLP each add to the residual stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

Part = Literal["attn", "mlp"]
Context = Mapping[str, Any]
"""Keyword arguments with which the model calls a block, such as ``rope``."""


@dataclass(frozen=True)
class Half:
    """The attention or the MLP of a block, with its normalisation and scale.

    Attributes
    ----------
    path : str
        Of the block's part in the model, such as ``blocks.3.attn``.
    core : nn.Module
        The attention or MLP itself.
    norm : nn.Module
    norm_first : bool
        Whether the normalisation comes before the core (pre-norm) or behind it (post-norm).
    scale : nn.Module or Tensor or None
        LayerScale, of pre-norm blocks.
    context : mapping
        Keyword arguments of the attention.
    """

    path: str
    core: nn.Module
    norm: nn.Module
    norm_first: bool
    scale: nn.Module | Tensor | None
    context: Context

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


def halves_of(path: str, block: nn.Module, context: Context, norm_first: bool) -> list[Half] | None:
    """Take a block apart; None if it has not the parts of a sequential block.

    Whether the two halves give what the block gives is for the caller to compare.

    Parameters
    ----------
    path : str
        Of the block.
    context : mapping
        Keyword arguments of the block's call, which it hands on to its attention.
    """
    halves = []
    for number, (part, core) in enumerate((("attn", "attn"), ("mlp", "mlp")), 1):
        module, norm = getattr(block, core, None), getattr(block, f"norm{number}", None)
        if not isinstance(module, nn.Module) or not isinstance(norm, nn.Module):
            return None
        scale = getattr(block, f"ls{number}", getattr(block, f"gamma_{number}", None))
        handed = context if part == "attn" else {}
        halves.append(Half(f"{path}.{core}", module, norm, norm_first, scale, handed))
    return halves
