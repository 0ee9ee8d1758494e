"""Disturbances of images, each by random numbers that are drawn for it alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError

Streams = Sequence[torch.Generator]
"""One random stream on the CPU for each image, in a batch of N; they move on."""


def noise(shape: Sequence[int], like: Tensor, streams: Streams) -> Tensor:
    """Draw standard normal noise, (N, *shape), of the dtype and on the device of a tensor."""
    return torch.stack([torch.randn(*shape, generator=one) for one in streams]).to(like)


def add_noise(images: Tensor, amount: float, streams: Streams) -> Tensor:
    """Add Gaussian noise to pixels, and clip them to [0, 1]: what is left is an image.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1].
    amount : float
        Standard deviation of the noise before the clipping.
    """
    return (images + amount * noise(images.shape[1:], images, streams)).clamp(0, 1)


def shuffle_patches(images: Tensor, side: int, streams: Streams) -> Tensor:
    """Put the patches of each image in random order, all as likely.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
    side : int
        Of the patches in pixels; what is left of H and W at the lower right stays in place.
    """
    count, channels, height, width = images.shape
    rows, columns = height // side, width // side
    inside = images[:, :, : rows * side, : columns * side]
    patches = inside.reshape(count, channels, rows, side, columns, side)
    patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    orders = _orders(rows * columns, streams).to(images.device)
    patches = patches[torch.arange(count, device=images.device)[:, None], orders]
    patches = patches.view(count, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    shuffled = images.clone()
    shuffled[:, :, : rows * side, : columns * side] = patches.reshape(inside.shape)
    return shuffled


def occlude_patches(images: Tensor, share: float, side: int, streams: Streams) -> Tensor:
    """Fill a random share of the patches of each image with the image's mean color.

    From one stream, a larger share hides all that a smaller one hides.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
    share : float
        In (0, 1]; rounded to whole patches, at least one.
    side : int
        Of the patches in pixels; what is left of H and W at the lower right stays.
    """
    height, width = images.shape[2:]
    rows, columns = height // side, width // side
    hidden = torch.zeros(len(images), rows * columns, dtype=torch.bool)
    hidden.scatter_(
        1, _orders(rows * columns, streams)[:, : max(1, round(share * rows * columns))], True
    )
    patches = hidden.view(-1, 1, rows, columns).to(images.device)
    mask = torch.zeros_like(images[:, :1], dtype=torch.bool)
    mask[:, :, : rows * side, : columns * side] = patches.repeat_interleave(
        side, 2
    ).repeat_interleave(side, 3)
    return torch.where(mask, images.mean((2, 3), keepdim=True), images)


def _orders(count: int, streams: Streams) -> Tensor:
    return torch.stack([torch.randperm(count, generator=one) for one in streams])


def partners(labels: Sequence[int], generator: torch.Generator) -> list[int]:
    """Pair images of different classes up at random.

    Parameters
    ----------
    labels : sequence of int
        Of an even number of images.
    generator : torch.Generator
        On the CPU; it moves on.

    Returns
    -------
    list of int
        The place of each image's partner, whose partner it is.

    Raises
    ------
    FeatvizError
        If that cannot be: the number is odd, a label is unknown, or more than half of the images
        are of one class.
    """
    if len(labels) % 2:
        raise FeatvizError(f"{len(labels)} images are no pairs; take an even number")
    if min(labels, default=0) < 0:
        raise FeatvizError("images without labels cannot be paired with another class")
    pairs: list[tuple[int, int]] = []
    waiting: list[int] = []  # all of one class
    for one in torch.randperm(len(labels), generator=generator).tolist():
        if waiting and labels[waiting[-1]] != labels[one]:
            pairs.append((waiting.pop(), one))
        else:
            waiting.append(one)
    while waiting:
        first, second = waiting.pop(), waiting.pop()
        own = labels[first]
        apart = (at for at, pair in enumerate(pairs) if own not in [labels[one] for one in pair])
        at = next(apart, None)
        if at is None:
            count = sum(label == own for label in labels)
            raise FeatvizError(
                f"{count} of {len(labels)} images are of class {own}: "
                "too many to pair each with another class"
            )
        one, other = pairs[at]
        pairs[at] = (first, one)
        pairs.append((second, other))
    found = dict(pairs) | {other: one for one, other in pairs}
    return [found[place] for place in range(len(labels))]
