"""A vision transformer cut where it can be patched: embedding, sublayers of blocks, head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode, reach
from featviz.models.vision_model import VisionModel
from patching.vit.embedding import Embedding, embedding_of
from patching.vit.sublayers import Sublayer, sublayers_of, with_last

# Of what a block adds to the stream; rounding in float32 stays far below.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ResidualViT:
    """The residual stream of a model and the sublayers that add to it, in order.

    Attributes
    ----------
    model : VisionModel
    sublayers : list of Sublayer
        Attention and MLP of block 0, of block 1, and so on.
    tokens : int
        Length of the stream.
    read : int
        How many of its first tokens the logits depend on through the last MLP: the prefix alone,
        or all.
    embedding : Embedding or None
        The addends of the stream before the first block, if it is a sum.
    """

    model: VisionModel
    sublayers: list[Sublayer]
    tokens: int
    read: int
    embedding: Embedding | None

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.sublayers) // 2

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
        """Carry the residual stream from sublayer `start` to its end."""
        for sublayer in self.sublayers[start:]:
            residual = residual + sublayer.branch(residual)
        return residual


def residual_vit(model: VisionModel) -> ResidualViT:
    """Take a model apart, and check that its parts give what it gives.

    Raises
    ------
    FeatvizError
        If it has no blocks in a row, or they are parallel or otherwise not made of two sublayers.
    """
    module: Any = model.module
    blocks = getattr(module, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not len(blocks):
        raise FeatvizError(f"{model.name} has no row of transformer blocks to patch")
    images = torch.linspace(0, 1, 3 * model.image_size**2).view(1, 3, *(model.image_size,) * 2)
    images = images.to(next(module.parameters()))
    with eval_mode(module), torch.no_grad():
        calls, logits = _watch(model, blocks, images)
        sublayers: list[Sublayer] = []
        for number, (block, call) in enumerate(zip(blocks, calls, strict=True)):
            sublayers += _checked_halves(model, f"blocks.{number}", block, call)
        tokens = calls[0].residual.shape[1]
        vit = ResidualViT(
            model, sublayers, tokens, tokens, embedding_of(model, images, calls[0].residual)
        )
        found = vit.finish(calls[-1].output)
        if not hasattr(module, "forward_head") or not _close(found, logits, logits):
            raise FeatvizError(f"the head of {model.name} does not read its last block alone")
        return replace(vit, read=_read(vit, calls[-1].residual))


def _read(vit: ResidualViT, residual: Tensor) -> int:
    """Count the first tokens of the stream before the last sublayer that the logits depend on."""
    prefix = vit.model.prefix_tokens
    if not 0 < prefix < residual.shape[1]:
        return residual.shape[1]
    other = residual.clone()
    # Of the same shape, so that not even rounding differs if nothing of it is read.
    other[:, prefix:] = 1 - 3 * residual[:, prefix:].flip(-1)
    ends = [vit.finish(vit.run(each, len(vit.sublayers) - 1)) for each in (residual, other)]
    return prefix if torch.equal(*ends) else residual.shape[1]


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
        logits: Tensor = model.module(model.normalize(images))
    finally:
        for hook in hooks:
            hook.remove()
    if len(calls) != len(blocks):
        raise FeatvizError(f"{model.name} runs {len(calls)} of its {len(blocks)} blocks")
    return calls, logits


def _checked_halves(model: VisionModel, path: str, block: nn.Module, call: _Call) -> list[Sublayer]:
    for norm_first in (True, False):
        sublayers = sublayers_of(path, block, call.context, norm_first)
        if sublayers is None:
            break
        residual, found = call.residual, []
        for sublayer in sublayers:
            found.append(with_last(sublayer, residual))
            residual = residual + sublayer.branch(residual)
        if _close(residual, call.output, call.output - call.residual):
            return found
    kind = type(block).__name__
    raise FeatvizError(
        f"{path} of {model.name} is a {kind}, which is not an attention followed by an MLP"
    )


def _close(found: Tensor, right: Tensor, scale: Tensor) -> bool:
    error = (found - right).abs().max()
    return found.shape == right.shape and bool(error <= TOLERANCE * scale.abs().max())
