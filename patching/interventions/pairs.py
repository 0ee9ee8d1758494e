"""Images in pairs, so that each can stand in for the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from featviz.errors import FeatvizError


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
