"""Images by number: which ones a count and a seed stand for."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from featviz.cueworld.world import CLASSES, SIZE, Batch, sample
from featviz.errors import FeatvizError


def batches(count: int, seed: int, size: int = SIZE) -> Iterator[Batch]:
    """Draw images on the CPU, one of every class at a time.

    Image i shows class ``i % 18`` and depends on the seed, on i and on the size, not on the count:
    more images of a seed begin with the fewer. Global random state is not touched.

    Parameters
    ----------
    count : int
        Number of images in all, at least 1.
    seed : int
        Names the stream.
    size : int
        Side of the images in pixels.

    Yields
    ------
    Batch
        18 images, the last time fewer if `count` asks for fewer.

    Raises
    ------
    FeatvizError
        If `count` is below 1.
    """
    if count < 1:
        raise FeatvizError(f"cueworld draws at least 1 image, not {count}")
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(CLASSES))
    for start in range(0, count, len(CLASSES)):
        # Images depend on how many are drawn at once, so the last batch is drawn whole, too.
        batch, rest = sample(labels, generator, size), count - start
        yield Batch(batch.images[:rest], batch.labels[:rest], batch.masks[:rest])


def draw(count: int, seed: int, size: int = SIZE) -> Batch:
    """Draw the images of `batches` into one batch; 1,000 of the usual size take 262 MB.

    Raises
    ------
    FeatvizError
        If `count` is below 1.
    """
    parts = list(batches(count, seed, size))
    return Batch(
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.masks for part in parts]),
    )
