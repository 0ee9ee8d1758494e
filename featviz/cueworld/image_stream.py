"""Reproducible sequences of images from a seed."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch

from featviz.cueworld.world import CLASSES, SIZE, Batch, sample


def batches(count: int, seed: int, size: int = SIZE) -> Iterator[Batch]:
    """Draw images on the CPU, one of every class at a time.

    Image i shows class ``i % 18`` and depends on the seed, on i and on the size, but not on the
    count. The global random state is not used.

    Parameters
    ----------
    count : int
        Total number of images, at least 1.
    seed : int
        Random seed.
    size : int
        Side of the images in pixels.

    Yields
    ------
    Batch
        18 images; the last batch may have fewer.

    Raises
    ------
    ValueError
        If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"cueworld draws at least 1 image, not {count}")
    generator = torch.Generator().manual_seed(operator.index(seed))
    labels = torch.arange(len(CLASSES))
    for start in range(0, count, len(CLASSES)):
        # Images depend on how many are drawn at once, so the last batch is drawn completely.
        batch, rest = sample(labels, generator, size), count - start
        yield Batch(batch.images[:rest], batch.labels[:rest], batch.masks[:rest])


def draw(count: int, seed: int, size: int = SIZE) -> Batch:
    """Draw images as one batch; 1,000 of the default size take 262 MB.

    Parameters
    ----------
    count, seed, size : int
        See `batches`.

    Returns
    -------
    Batch

    Raises
    ------
    ValueError
        If `count` is below 1.
    """
    parts = list(batches(count, seed, size))
    return Batch(
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.masks for part in parts]),
    )
