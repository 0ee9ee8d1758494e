"""Random perturbations of images, with one random generator for each image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError

Generators = Sequence[torch.Generator]
"""One random generator on the CPU for each of N images; drawing advances them."""


def noise(shape: Sequence[int], like: Tensor, generators: Generators) -> Tensor:
    """Draw standard normal noise.

    Parameters
    ----------
    shape : sequence of int
        Shape of the noise for one image.
    like : Tensor
        Its dtype and device are used.
    generators : sequence of torch.Generator, length N

    Returns
    -------
    Tensor, shape (N, *shape)
    """
    return torch.stack([torch.randn(*shape, generator=each) for each in generators]).to(like)


def add_noise(images: Tensor, amount: float, generators: Generators) -> Tensor:
    """Add Gaussian noise to pixels, and clip them to [0, 1].

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1].
    amount : float
        Standard deviation of the noise before clipping.
    generators : sequence of torch.Generator, length N

    Returns
    -------
    Tensor, shape (N, 3, H, W)
        RGB in [0, 1].
    """
    return (images + amount * noise(images.shape[1:], images, generators)).clamp(0, 1)


def shuffle_patches(images: Tensor, side: int, generators: Generators) -> Tensor:
    """Permute the patches of each image; all orders are equally likely.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
    side : int
        Side of a patch in pixels. Incomplete patches at the right and bottom keep their place.
    generators : sequence of torch.Generator, length N

    Returns
    -------
    Tensor, shape (N, 3, H, W)
    """
    count, channels, height, width = images.shape
    rows, columns = height // side, width // side
    inside = images[:, :, : rows * side, : columns * side]
    patches = inside.reshape(count, channels, rows, side, columns, side)
    patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    orders = _permutations(rows * columns, generators).to(images.device)
    patches = patches[torch.arange(count, device=images.device)[:, None], orders]
    patches = patches.view(count, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    shuffled = images.clone()
    shuffled[:, :, : rows * side, : columns * side] = patches.reshape(inside.shape)
    return shuffled


def occlude_patches(images: Tensor, share: float, side: int, generators: Generators) -> Tensor:
    """Fill a random fraction of the patches of each image with the image's mean color.

    With the same generators, a larger fraction covers all that a smaller one covers.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
    share : float
        Fraction of patches, in (0, 1]; rounded to whole patches, at least one.
    side : int
        Side of a patch in pixels. Incomplete patches at the right and bottom are not covered.
    generators : sequence of torch.Generator, length N

    Returns
    -------
    Tensor, shape (N, 3, H, W)
    """
    height, width = images.shape[2:]
    rows, columns = height // side, width // side
    covered = torch.zeros(len(images), rows * columns, dtype=torch.bool)
    count = max(1, round(share * rows * columns))
    covered.scatter_(1, _permutations(rows * columns, generators)[:, :count], True)
    patches = covered.view(-1, 1, rows, columns).to(images.device)
    mask = torch.zeros_like(images[:, :1], dtype=torch.bool)
    mask[:, :, : rows * side, : columns * side] = patches.repeat_interleave(
        side, 2
    ).repeat_interleave(side, 3)
    return torch.where(mask, images.mean((2, 3), keepdim=True), images)


def _permutations(count: int, generators: Generators) -> Tensor:
    return torch.stack([torch.randperm(count, generator=each) for each in generators])


def partners(labels: Sequence[int], generator: torch.Generator) -> list[int]:
    """Pair images of different classes at random.

    Parameters
    ----------
    labels : sequence of int
        Labels of an even number of images.
    generator : torch.Generator
        On the CPU; drawing advances it.

    Returns
    -------
    list of int
        For each image, the index of its partner in `labels`. Pairs are mutual.

    Raises
    ------
    FeatvizError
        If there is no such pairing: the number of images is odd, a label is unknown, or more than
        half of the images are of one class.
    """
    if len(labels) % 2:
        raise FeatvizError(f"pairing needs an even number of images, got {len(labels)}")
    if min(labels, default=0) < 0:
        raise FeatvizError("images without labels cannot be paired with another class")
    pairs: list[tuple[int, int]] = []
    unpaired: list[int] = []  # all of one class
    for index in torch.randperm(len(labels), generator=generator).tolist():
        if unpaired and labels[unpaired[-1]] != labels[index]:
            pairs.append((unpaired.pop(), index))
        else:
            unpaired.append(index)
    # The rest are of one class: split a pair without this class for every two of them.
    while unpaired:
        first, second = unpaired.pop(), unpaired.pop()
        own = labels[first]
        split = next(
            (i for i, pair in enumerate(pairs) if own not in [labels[each] for each in pair]), None
        )
        if split is None:
            count = sum(label == own for label in labels)
            raise FeatvizError(
                f"{count} of {len(labels)} images are of class {own}: "
                "too many to pair each with another class"
            )
        one, other = pairs[split]
        pairs[split] = (first, one)
        pairs.append((second, other))
    partner = dict(pairs) | {other: one for one, other in pairs}
    return [partner[index] for index in range(len(labels))]
