"""A vision transformer as a residual stream: embedding, sublayers of blocks, head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import Call, eval_mode, record, run_until
from featviz.models.vision_model import VisionModel
from patching.vit.embedding import Embedding, find_embedding
from patching.vit.sublayers import Sublayer, sublayers_of, with_last

# Relative to what a block adds to the stream; rounding in float32 is far smaller.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ResidualViT:
    """The residual stream of a model and the sublayers that add to it, in order.

    Attributes
    ----------
    model : VisionModel
    sublayers : list of Sublayer
        Attention and MLP of block 0, then of block 1, and so on.
    tokens : int
        Number of tokens of the stream.
    read_tokens : int
        Number of leading tokens that the logits depend on after the last attention: the prefix
        tokens if the head reads only these, else all tokens.
    embedding : Embedding or None
        The terms of the stream before the first block, if it is a sum.
    """

    model: VisionModel
    sublayers: list[Sublayer]
    tokens: int
    read_tokens: int
    embedding: Embedding | None

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.sublayers) // 2

    def embed(self, images: Tensor) -> Tensor:
        """Compute the residual stream before the first block.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1].

        Returns
        -------
        Tensor, shape (N, T, C)
        """
        streams: list[Tensor] = []
        run_until(
            self.model, images, ["blocks.0"], lambda _path, stream, _context: streams.append(stream)
        )
        return streams[0]

    def finish(self, residual: Tensor) -> Tensor:
        """Apply the final norm and the head.

        Parameters
        ----------
        residual : Tensor, shape (N, T, C)
            The residual stream after the last block.

        Returns
        -------
        Tensor, shape (N, classes)
            Logits.
        """
        module: Any = self.model.module
        logits: Tensor = module.forward_head(module.norm(residual))
        return logits

    def run(self, residual: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Run consecutive sublayers.

        Parameters
        ----------
        residual : Tensor, shape (N, T, C)
            The residual stream before sublayer `start`.
        start : int
            Index of the first sublayer to run.
        stop : int, optional
            Index after the last sublayer to run; by default all sublayers from `start` on are run.

        Returns
        -------
        Tensor, shape (N, T, C)
            The residual stream before sublayer `stop`, or after the last block.
        """
        for sublayer in self.sublayers[start:stop]:
            residual = residual + sublayer.branch(residual)
        return residual


def residual_vit(model: VisionModel) -> ResidualViT:
    """Split a model into embedding, sublayers and head, and check that they reproduce its output.

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    ResidualViT

    Raises
    ------
    FeatvizError
        If the model has no sequence of blocks, a block is not an attention followed by an MLP (as
        in parallel blocks), or the head reads more than the last block.
    """
    module: Any = model.module
    blocks = getattr(module, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not len(blocks):
        raise FeatvizError(f"{model.name} has no sequence of transformer blocks to patch")
    images = torch.linspace(0, 1, 3 * model.image_size**2).view(1, 3, *(model.image_size,) * 2)
    images = images.to(next(module.parameters()))
    with eval_mode(module), torch.no_grad():
        calls, logits = _record_blocks(model, images)
        sublayers: list[Sublayer] = []
        for block, call in zip(blocks, calls, strict=True):
            sublayers += _checked_sublayers(model, block, call)
        start = calls[0].inputs[0]
        tokens = start.shape[1]
        vit = ResidualViT(model, sublayers, tokens, tokens, find_embedding(model, images, start))
        found = vit.finish(calls[-1].output)
        if not hasattr(module, "forward_head") or not _close(found, logits, logits):
            raise FeatvizError(f"the head of {model.name} reads more than its last block")
        return replace(vit, read_tokens=_read_tokens(vit, calls[-1].inputs[0]))


def _read_tokens(vit: ResidualViT, residual: Tensor) -> int:
    """Count the leading tokens before the last sublayer that the logits depend on."""
    prefix = vit.model.prefix_tokens
    if not 0 < prefix < residual.shape[1]:
        return residual.shape[1]
    other = residual.clone()
    # The shape stays the same, so that the logits are bit-equal if the patch tokens are not read.
    other[:, prefix:] = 1 - 3 * residual[:, prefix:].flip(-1)
    logits = [vit.finish(vit.run(each, len(vit.sublayers) - 1)) for each in (residual, other)]
    return prefix if torch.equal(*logits) else residual.shape[1]


def _record_blocks(model: VisionModel, images: Tensor) -> tuple[list[Call], Tensor]:
    """Run the model, and return the call of each block and the logits."""
    module: Any = model.module
    paths = [f"blocks.{index}" for index in range(len(module.blocks))]
    calls: list[Call] = []
    with record(module, paths, calls.append):
        logits = model(images)
    if len(calls) != len(paths):
        raise FeatvizError(f"{model.name} runs {len(calls)} of its {len(paths)} blocks")
    return calls, logits


def _checked_sublayers(model: VisionModel, block: nn.Module, call: Call) -> list[Sublayer]:
    """Split a block, as pre-norm or else as post-norm, whichever reproduces its output."""
    start = call.inputs[0]
    for norm_first in (True, False):
        sublayers = sublayers_of(call.path, block, call.context, norm_first)
        if sublayers is None:
            break
        residual, found = start, []
        for sublayer in sublayers:
            found.append(with_last(sublayer, residual))
            residual = residual + sublayer.branch(residual)
        if _close(residual, call.output, call.output - start):
            return found
    raise FeatvizError(
        f"{call.path} of {model.name} is a {type(block).__name__}, which is not an attention "
        "followed by an MLP"
    )


def _close(found: Tensor, right: Tensor, scale: Tensor) -> bool:
    error = (found - right).abs().max()
    return found.shape == right.shape and bool(error <= TOLERANCE * scale.abs().max())
