"""Accuracy of a model with each cue removed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from featviz.cueworld.architectures import MEAN, STD
from featviz.cueworld.cues import blur, grayscale, silhouette
from featviz.cueworld.image_stream import batches
from featviz.cueworld.world import CLASSES, FAMILIES, Batch

HELD_OUT_SEED = 10_000
"""Seed of images for evaluation; the bundled models were trained on images of other seeds."""


@torch.no_grad()
def report(
    model: nn.Module, count: int = 3600, seed: int = HELD_OUT_SEED
) -> dict[str, dict[str, float]]:
    """Measure a model's accuracy on held-out images with all cues, and with one cue removed.

    Parameters
    ----------
    model : nn.Module
        Takes normalized images of 128 x 128 pixels and returns 18 logits. Its training flags are
        restored.
    count : int
        Number of images; a multiple of 18 gives all classes equal weight.
    seed : int
        Random seed of the images, see `featviz.cueworld.batches`.

    Returns
    -------
    dict of str to dict of str to float
        Accuracy, in [0, 1], for each family, with ``clean``, ``grayscale``, ``blur`` and
        ``silhouette`` images.
    """
    device = next(model.parameters()).device
    correct: dict[str, list[Tensor]] = {}
    training = [part for part in model.modules() if part.training]
    try:
        model.eval()
        with torch.no_grad():
            for batch in batches(count, seed):
                for name, images in _conditions(batch).items():
                    predicted = model(((images - MEAN) / STD).to(device)).argmax(1).cpu()
                    correct.setdefault(name, []).append(predicted == batch.labels)
    finally:
        for part in training:
            part.training = True
    return {name: _by_family(torch.cat(parts)) for name, parts in correct.items()}


def _conditions(batch: Batch) -> dict[str, Tensor]:
    return {
        "clean": batch.images,
        "grayscale": grayscale(batch.images),
        "blur": blur(batch.images),
        "silhouette": silhouette(batch.images, batch.masks),
    }


def _by_family(correct: Tensor) -> dict[str, float]:
    """Mean over the images of each family; images in the order of `batches`."""
    families = [FAMILIES[index % len(CLASSES)] for index in range(len(correct))]
    return {
        name: correct[[family == name for family in families]].float().mean().item()
        for name in dict.fromkeys(FAMILIES)
    }
