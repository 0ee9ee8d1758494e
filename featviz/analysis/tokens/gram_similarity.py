"""Gram similarity of two pictures: which features occur together in them, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz.optimization.objectives import similarity

if TYPE_CHECKING:
    from featviz.models.sites import Site


def gram_similarity(first: Tensor, second: Tensor, site: Site) -> Tensor:
    """Compute the cosine between the Gram matrices of a layer's input on two pictures.

    A Gram matrix holds the products of two channels, summed over patches or positions: moving the
    contents of patches does not change it. See `featviz.optimization.objectives.similarity`.

    Parameters
    ----------
    first, second : Tensor, shape (N, positions, channels)
        Input of the layer on N pairs of pictures.
    site : Site
        Of the layer. Its prefix tokens are left out.

    Returns
    -------
    Tensor, shape (N,)
        In [0, 1]: 1 for proportional Gram matrices, 0 if no pair of channels is common to both.
    """
    pairs = torch.stack([first, second], 1)[:, :, site.prefix :]
    return similarity(pairs.float()).clamp(0, 1)
