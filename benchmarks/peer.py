"""Rendering with Lucent, for comparison.

Lucent takes the second axis of an activation for channels, which in a vision transformer are its
tokens, so the objective is written out here.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import featviz


class Normalized(nn.Module):
    """A model that normalizes its input, RGB in [0, 1].

    Its weights require gradients, as those of a model from timm do; Lucent leaves them so.
    """

    def __init__(self, model: featviz.VisionModel) -> None:
        super().__init__()
        self.module = deepcopy(model.module).requires_grad_(True)
        self.normalize = model.normalize

    def forward(self, images: Tensor) -> Any:
        """Run the whole model, as Lucent does."""
        return self.module(self.normalize(images))


def render(
    model: featviz.VisionModel,
    block: int,
    index: Tensor,
    steps: int,
    side: int,
    augment: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Render neurons of one block with Lucent, one image each, as the mean over all patches.

    Parameters
    ----------
    model : VisionModel
    block : int
    index : Tensor, shape (N,)
        Indices of the neurons in the block.
    steps : int
    side : int
        Side of the images in pixels.
    augment : callable, optional
        Augmentation of the images in each step; by default Lucent's own.

    Returns
    -------
    Tensor, shape (N, 3, side, side)
        In [0, 1].
    """
    from lucent.optvis import objectives, param  # noqa: PLC0415 - a development extra
    from lucent.optvis.render import render_vis  # noqa: PLC0415

    layer, prefix = f"module_blocks_{block}_mlp_fc1", model.prefix_tokens
    rows = torch.arange(len(index))

    def loss(hook: Callable[[str], Tensor]) -> Tensor:
        return -hook(layer)[rows, prefix:, index].mean(1).sum()

    (images,) = render_vis(
        Normalized(model),
        objectives.Objective(loss),
        partial(param.image, side, batch=len(index)),
        transforms=None if augment is None else [augment],
        thresholds=(steps,),
        preprocess=False,
        progress=False,
        show_image=False,
        fixed_image_size=model.image_size if augment is None else None,
    )
    return torch.from_numpy(images).permute(0, 3, 1, 2)
