"""The stream before the first block as a sum: patch embeddings, positions and learned tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.models.hooks import reach
from featviz.models.vision_model import VisionModel

# Of the largest entry of the stream; a sum of two numbers is rounded far below.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Embedding:
    """What is added up to the stream before the first block.

    Attributes
    ----------
    prefix : int
        How many learned tokens come before the patches.
    positions : Tensor, shape (1, T, C), or None
        The position embedding, 0 for tokens that have none; None if it is not added to the stream,
        as rotary and relative positions are not.
    """

    prefix: int
    positions: Tensor | None

    def part(self, kind: str, start: Tensor) -> Tensor:
        """Take one addend of a stream before the first block.

        Parameters
        ----------
        kind : str
            ``patch_embed``, which is 0 at the prefix tokens, or ``pos_embed``.
        start : Tensor, shape (N, T, C)

        Returns
        -------
        Tensor, shape (N, T, 1, C)
        """
        positions = torch.zeros_like(start[:1]) if self.positions is None else self.positions
        if kind == "pos_embed":
            return positions.expand_as(start)[:, :, None]
        patches = (start - positions)[:, self.prefix :]
        return F.pad(patches, (0, 0, self.prefix, 0))[:, :, None]


def embedding_of(model: VisionModel, images: Tensor, start: Tensor) -> Embedding | None:
    """Find the addends of the stream before the first block.

    Returns
    -------
    Stem or None
        None if the stream is not their sum, as where a normalization follows.
    """
    embed, learned = (getattr(model.module, name, None) for name in ("patch_embed", "pos_embed"))
    if not isinstance(embed, nn.Module):
        return None
    outputs: list[Tensor] = []
    hook = embed.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
    try:
        reach(model, images, ["blocks.0"], lambda *_: None)
    finally:
        hook.remove()
    tokens, prefix = start.shape[1], model.prefix_tokens
    patches = outputs[0].flatten(1, -2) if outputs and outputs[0].ndim > 2 else None
    if patches is None or patches.shape[1] != tokens - prefix:
        return None
    positions = None
    if isinstance(learned, Tensor):
        positions = learned.detach().flatten(1, -2)
        if positions.shape[1] not in {tokens, tokens - prefix}:
            return None
        positions = F.pad(positions, (0, 0, tokens - positions.shape[1], 0))
    embedding = Embedding(prefix, positions)
    error = (embedding.part("patch_embed", start)[:, prefix:, 0] - patches).abs().max()
    return embedding if error <= TOLERANCE * start.abs().max() else None
