"""What each cue is worth to a model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from featviz.cueworld.architectures import MEAN, STD
from featviz.cueworld.cues import blur, grayscale, silhouette
from featviz.cueworld.image_stream import batches
from featviz.cueworld.world import CLASSES, FAMILIES, Batch


@torch.no_grad()
def report(model: nn.Module, count: int = 3600, seed: int = 10_000) -> dict[str, dict[str, float]]:
    """Measure a model's accuracy on fresh images with every cue, and with one cue removed.

    Parameters
    ----------
    model : nn.Module
        Takes normalized images of 128 x 128 pixels and returns 18 logits; it is left as found.
    count : int
        Number of images, a multiple of 18 for classes of equal weight.
    seed : int
        Names the stream of images; the models were trained on others.

    Returns
    -------
    dict of str to dict of str to float
        For ``clean``, ``grayscale``, ``blur`` and ``silhouette``: the share of right answers, in
        [0, 1], for each family.
    """
    device = next(model.parameters()).device
    right: dict[str, list[Tensor]] = {}
    training = [part for part in model.modules() if part.training]
    try:
        model.eval()
        with torch.no_grad():
            for batch in batches(count, seed):
                for view, images in _views(batch).items():
                    guess = model(((images - MEAN) / STD).to(device)).argmax(1).cpu()
                    right.setdefault(view, []).append(guess == batch.labels)
    finally:
        for part in training:
            part.training = True
    return {view: _shares(torch.cat(parts)) for view, parts in right.items()}


def _views(batch: Batch) -> dict[str, Tensor]:
    return {
        "clean": batch.images,
        "grayscale": grayscale(batch.images),
        "blur": blur(batch.images),
        "silhouette": silhouette(batch.images, batch.masks),
    }


def _shares(right: Tensor) -> dict[str, float]:
    """Mean over the images of each family, the images in the order of `batches`."""
    family = [FAMILIES[image % len(CLASSES)] for image in range(len(right))]
    return {
        name: right[[one == name for one in family]].float().mean().item()
        for name in dict.fromkeys(FAMILIES)
    }
