"""Lucent, given a unit correctly: it would pick a token of a vision transformer for a channel."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import featviz


class Normalized(nn.Module):
    """A model that takes RGB in [0, 1] and normalizes it as it needs.

    Its weights take gradients, as timm hands them out: Lucent does not stop that.
    """

    def __init__(self, model: featviz.VisionModel) -> None:
        super().__init__()
        self.module = deepcopy(model.module).requires_grad_(True)
        self.normalize = model.normalize

    def forward(self, images: Tensor) -> Any:
        """Run the whole model: Lucent cannot leave a part out."""
        return self.module(self.normalize(images))


def render(
    model: featviz.VisionModel,
    block: int,
    index: Tensor,
    steps: int,
    side: int,
    view: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Have Lucent render neurons of one block, a picture each, averaged over all patches.

    Parameters
    ----------
    index : Tensor, shape (N,)
        Of the neurons in the block.
    side : int
        Of the pictures, in pixels.
    view : callable, optional
        What a step looks at; by default Lucent's own views.

    Returns
    -------
    Tensor, shape (N, 3, side, side)
        In [0, 1].
    """
    from lucent.optvis import objectives, param  # noqa: PLC0415  a development extra
    from lucent.optvis.render import render_vis  # noqa: PLC0415

    layer, prefix = f"module_blocks_{block}_mlp_fc1", model.prefix_tokens
    rows = torch.arange(len(index))

    def loss(hook: Callable[[str], Tensor]) -> Tensor:
        return -hook(layer)[rows, prefix:, index].mean(1).sum()

    (images,) = render_vis(
        Normalized(model),
        objectives.Objective(loss),
        partial(param.image, side, batch=len(index)),
        transforms=None if view is None else [view],
        thresholds=(steps,),
        preprocess=False,
        progress=False,
        show_image=False,
        fixed_image_size=model.image_size if view is None else None,
    )
    return torch.from_numpy(images).permute(0, 3, 1, 2)
