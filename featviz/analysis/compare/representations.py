"""Representations of images: the mean output of each layer over patches or positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz.models.blocks.representations import represent

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset
    from featviz.models.vision_model import VisionModel


def representations(
    model: VisionModel,
    dataset: Dataset,
    layers: list[str],
    count: int | None = None,
    batch: int = 64,
) -> dict[str, Tensor]:
    """Compute the mean output of each layer over patches or positions, for images of a dataset.

    Class, distillation and register tokens are left out of the mean.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    layers : list of str
        Of `featviz.models.blocks.representations.find_layers`.
    count : int, optional
        Number of images; all if not given. See `Dataset.indices` for which.
    batch : int
        Images in one forward pass.

    Returns
    -------
    dict of str to Tensor, shape (images, channels)
        In the order of `layers`, on the CPU.

    Raises
    ------
    FeatvizError
        If an image cannot be read.
    """
    found: dict[str, list[Tensor]] = {path: [] for path in layers}
    for images, _ in dataset.batches(model.image_size, batch, count):
        for path, output in represent(model, images, layers).items():
            found[path].append(output)
    return {path: torch.cat(parts) for path, parts in found.items()}
