"""A vision transformer cut where it can be patched: embedding, halves of blocks, head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from featviz import FeatvizError, VisionModel
from featviz.reach import reach
from featviz.state import undisturbed
from patching.halves import Half, halves_of

# Of what a block adds to the stream; rounding in float32 stays far below.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Trunk:
    """The residual stream of a model and the halves that add to it, in order.

    Attributes
    ----------
    model : VisionModel
    halves : list of Half
        Attention and MLP of block 0, of block 1, and so on.
    """

    model: VisionModel
    halves: list[Half]

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.halves) // 2

    def embed(self, images: Tensor) -> Tensor:
        """Return the residual stream before the first block, (N, T, C).

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1].
        """
        found: list[Tensor] = []
        reach(
            self.model, images, ["blocks.0"], lambda _path, stream, _context: found.append(stream)
        )
        return found[0]

    def finish(self, residual: Tensor) -> Tensor:
        """Return the logits (N, classes) of the residual stream behind the last block."""
        module: Any = self.model.module
        logits: Tensor = module.forward_head(module.norm(residual))
        return logits

    def run(self, residual: Tensor, start: int = 0) -> Tensor:
        """Carry the residual stream from half `start` to its end."""
        for half in self.halves[start:]:
            residual = residual + half.branch(residual)
        return residual


def trunk_of(model: VisionModel) -> Trunk:
    """Take a model apart, and check that its parts give what it gives.

    Raises
    ------
    FeatvizError
        If it has no blocks in a row, or they are parallel or otherwise not made of two halves.
    """
    module: Any = model.module
    blocks = getattr(module, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not len(blocks):
        raise FeatvizError(f"{model.name} has no row of transformer blocks to patch")
    images = torch.linspace(0, 1, 3 * model.image_size**2).view(1, 3, *(model.image_size,) * 2)
    with undisturbed(module), torch.no_grad():
        calls, logits = _watch(model, blocks, images.to(model.device))
        halves: list[Half] = []
        for number, (block, call) in enumerate(zip(blocks, calls, strict=True)):
            halves += _checked_halves(model, f"blocks.{number}", block, call)
        trunk = Trunk(model, halves)
        found = trunk.finish(calls[-1].output)
        if not hasattr(module, "forward_head") or not _close(found, logits, logits):
            raise FeatvizError(f"the head of {model.name} does not read its last block alone")
    return trunk


@dataclass(frozen=True)
class _Call:
    """What went into a block and came out."""

    residual: Tensor
    context: dict[str, Any]
    output: Tensor


def _watch(model: VisionModel, blocks: Any, images: Tensor) -> tuple[list[_Call], Tensor]:
    calls: list[_Call] = []

    def record(
        _block: nn.Module, inputs: tuple[Tensor, ...], context: dict[str, Any], output: Tensor
    ) -> None:
        calls.append(_Call(inputs[0], context, output))

    hooks = [block.register_forward_hook(record, with_kwargs=True) for block in blocks]
    try:
        logits: Tensor = model.module(model.normalise(images))
    finally:
        for hook in hooks:
            hook.remove()
    if len(calls) != len(blocks):
        raise FeatvizError(f"{model.name} runs {len(calls)} of its {len(blocks)} blocks")
    return calls, logits


def _checked_halves(model: VisionModel, path: str, block: nn.Module, call: _Call) -> list[Half]:
    for norm_first in (True, False):
        halves = halves_of(path, block, call.context, norm_first)
        if halves is None:
            break
        residual = call.residual
        for half in halves:
            residual = residual + half.branch(residual)
        if _close(residual, call.output, call.output - call.residual):
            return halves
    kind = type(block).__name__
    raise FeatvizError(
        f"{path} of {model.name} is a {kind}, which is not an attention followed by an MLP"
    )


def _close(found: Tensor, right: Tensor, scale: Tensor) -> bool:
    error = (found - right).abs().max()
    return found.shape == right.shape and bool(error <= TOLERANCE * scale.abs().max())
