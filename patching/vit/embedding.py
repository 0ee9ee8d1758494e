"""The token embedding as a sum: patch embeddings, position embeddings and learned prefix tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.models.hooks import Call, record, run_until
from featviz.models.vision_model import VisionModel

# Relative to the largest entry of the stream; the rounding error of the sum is far smaller.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Embedding:
    """The residual stream before the first block as a sum.

    Attributes
    ----------
    prefix : int
        Number of learned tokens before the patch tokens.
    positions : Tensor, shape (1, T, C), or None
        The position embedding, 0 for tokens that have none. None if the model adds no position
        embedding to the stream, as with rotary and relative positions.
    """

    prefix: int
    positions: Tensor | None

    def component(self, kind: str, start: Tensor) -> Tensor:
        """Return one term of the sum.

        Parameters
        ----------
        kind : str
            ``"patch_embed"``, which is 0 at the prefix tokens, or ``"pos_embed"``.
        start : Tensor, shape (N, T, C)
            The residual stream before the first block.

        Returns
        -------
        Tensor, shape (N, T, 1, C)
        """
        positions = torch.zeros_like(start[:1]) if self.positions is None else self.positions
        if kind == "pos_embed":
            return positions.expand_as(start)[:, :, None]
        patches = (start - positions)[:, self.prefix :]
        return F.pad(patches, (0, 0, self.prefix, 0))[:, :, None]


def find_embedding(model: VisionModel, images: Tensor, start: Tensor) -> Embedding | None:
    """Find the terms of the residual stream before the first block.

    Parameters
    ----------
    model : VisionModel
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1].
    start : Tensor, shape (N, T, C)
        The residual stream of these images before the first block.

    Returns
    -------
    Embedding or None
        None if the stream is not this sum, for example because it is normalized afterwards.
    """
    embed, learned = (getattr(model.module, name, None) for name in ("patch_embed", "pos_embed"))
    if not isinstance(embed, nn.Module):
        return None
    calls: list[Call] = []
    with record(model.module, ["patch_embed"], calls.append):
        run_until(model, images, ["blocks.0"], lambda *_: None)
    tokens, prefix = start.shape[1], model.prefix_tokens
    patches = calls[0].output.flatten(1, -2) if calls and calls[0].output.ndim > 2 else None
    if patches is None or patches.shape[1] != tokens - prefix:
        return None
    positions = None
    if isinstance(learned, Tensor):
        positions = learned.detach().flatten(1, -2)
        if positions.shape[1] not in {tokens, tokens - prefix}:
            return None
        positions = F.pad(positions, (0, 0, tokens - positions.shape[1], 0))
    embedding = Embedding(prefix, positions)
    error = (embedding.component("patch_embed", start)[:, prefix:, 0] - patches).abs().max()
    return embedding if error <= TOLERANCE * start.abs().max() else None
