"""A loop that computes what Lucent computes in each step, for machines without Lucent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import featviz
from benchmarks.peer import Normalized
from featviz.parametrization.fourier import Fourier


def render(
    model: featviz.VisionModel,
    block: int,
    index: Tensor,
    steps: int,
    side: int,
    augment: Callable[[Tensor], Tensor],
) -> Tensor:
    """Render neurons like `benchmarks.peer.render`.

    As in Lucent, a step is a full forward pass in float32 with a hook on the layer, a backward pass
    to the weights too, and a step of Adam.

    Parameters
    ----------
    model, block, index, steps, side, augment
        See `benchmarks.peer.render`.

    Returns
    -------
    Tensor, shape (N, 3, side, side)
        In [0, 1], on the device of the model.

    Source: Lucent, ``optvis/render.py`` and ``optvis/param/spatial.py``.
    """
    whole = Normalized(model)
    module: Any = whole.module
    outputs: list[Tensor] = []
    hook = module.blocks[block].mlp.fc1.register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output)
    )
    image, rows = Fourier(side, side), torch.arange(len(index))
    generator = torch.Generator().manual_seed(0)
    starts = torch.stack([image.initial(generator) for _ in rows])
    parameters = starts.to(model.device).requires_grad_()
    optimizer = torch.optim.Adam([parameters], lr=0.05)
    try:
        for _ in range(steps):
            optimizer.zero_grad()
            outputs.clear()
            whole(augment(image.decode(parameters)))
            loss = -outputs[0][rows, model.prefix_tokens :, index].mean(1).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    finally:
        hook.remove()
    return image.decode(parameters).detach()
