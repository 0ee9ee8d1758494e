"""Similarities of learned position embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from featviz.models.token_grid import square_grid

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# The parameter's name in timm and in torchvision.
NAMES = ("pos_embed", "pos_embedding")


def patch_positions(model: VisionModel) -> Tensor | None:
    """Return the learned embedding of each patch position, without those of prefix tokens.

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    Tensor, shape (rows, columns, channels), or None
        None if the model has none on a square grid, such as with relative or rotary positions.
    """
    for path, weight in model.module.named_parameters():
        if path.rpartition(".")[2] not in NAMES or weight.shape[0] != 1:
            continue
        if weight.ndim == 4 and weight.shape[1] == weight.shape[2]:
            return weight[0].detach()
        if weight.ndim == 3:
            return square_grid(weight[0].detach(), model.prefix_tokens)
    return None


def similarities(positions: Tensor) -> Tensor:
    """Compute the cosine similarity of every pair of position embeddings.

    Parameters
    ----------
    positions : Tensor, shape (rows, columns, channels)

    Returns
    -------
    Tensor of float32 on the CPU, shape (rows * columns, rows, columns)
        Cosines, in [-1, 1]; 0 for an embedding of zeros.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, figure 7.
    """
    rows, columns = positions.shape[:2]
    directions = F.normalize(positions.double().flatten(0, 1), dim=1)
    return (directions @ directions.T).reshape(-1, rows, columns).float().cpu()
