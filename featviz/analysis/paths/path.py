"""One picture's way beside those of natural images, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Floats = npt.NDArray[np.float32]

NEAREST = 3
"""Of the images that excite the unit, how many an image is compared with: those that it is nearest
to. A unit may be excited by several kinds of images, and a picture is of one of them."""
APART = 0.1
"""Least difference of mean cosines between the images that excite a unit and others, for there to
be a way that only they take. Below, the agreement is a quotient of two noises."""


@dataclass(frozen=True)
class Route:
    """Similarities to the natural images that excite a unit, at each of L layers.

    Attributes
    ----------
    picture : float32 array, shape (L,)
        Of the unit's picture, in [-1, 1].
    natural, same, different : float32 array, shape (L,)
        Of these images to each other, of other images of their classes, and of images of other
        classes; NaN where there are none. Where classes are not known, all count as others.
    agreement : float
        By how much the picture is more similar than images of other classes are, in parts of what
        the natural images themselves are; both in the mean over the layers before the unit. 1
        for a picture that travels as they do, 0 as any other image. NaN where they are hardly more
        similar to each other than images of other classes are to them, or there are none.
    """

    picture: Floats
    natural: Floats
    same: Floats
    different: Floats
    agreement: float


def route(
    picture: Sequence[Tensor],
    top: Sequence[Tensor],
    beside: Sequence[Tensor],
    labels: tuple[Tensor, Tensor],
    upto: int,
) -> Route:
    """Compare a picture with natural images.

    What a layer makes of an image is a vector: the mean over patches or places, less its mean over
    natural images. Two images are as similar as the cosine of their vectors. An image is as similar
    to those that excite the unit as, in the mean, to the three that it is nearest to in the layers
    before the unit; itself does not count.

    Parameters
    ----------
    picture : sequence of Tensor, shape (channels,)
        At each of L layers, less the mean; so are the others.
    top : sequence of Tensor, shape (K, channels)
        Of the natural images that excite the unit.
    beside : sequence of Tensor, shape (P, channels)
        Of other natural images.
    labels : two Tensors, shapes (K,) and (P,)
        Classes of the natural images, -1 where unknown.
    upto : int
        Number, among the L, of the last layer before the unit.
    """
    count = len(labels[0])
    cosines = torch.stack(
        [
            F.normalize(torch.cat([one[None], many, others]).double(), dim=1)
            @ F.normalize(many.double(), dim=1).mT
            for one, many, others in zip(picture, top, beside, strict=True)
        ]
    )
    is_same = (labels[1][:, None] == labels[0]) & (labels[0] >= 0)
    everything = torch.ones(1, count, dtype=torch.bool)
    columns = torch.stack(
        [
            _nearest(cosines[:, :1], everything, upto),
            _nearest(cosines[:, 1 : count + 1], ~torch.eye(count, dtype=torch.bool), upto),
            _nearest(cosines[:, count + 1 :], is_same, upto),
            _nearest(cosines[:, count + 1 :], ~is_same, upto),
        ]
    ).numpy()
    of_picture, natural, same, different = columns.astype(np.float32)
    return Route(of_picture, natural, same, different, _agreement(columns, upto))


def _nearest(cosines: Tensor, counts: Tensor, upto: int) -> Tensor:
    """Average the similarities (L, N, K) of images to those of K that they are nearest to.

    Parameters
    ----------
    counts : Tensor of bool, shape (N, K)
        Which pairs count. Images of which none does are left out.

    Returns
    -------
    Tensor, shape (L,)
        NaN if no pair counts.
    """
    some = counts.any(1)
    cosines, counts = cosines[:, some], counts[some]
    total = cosines[: upto + 1].sum(0).masked_fill(~counts, -torch.inf)
    order = total.argsort(stable=True, dim=1, descending=True)[:, :NEAREST]
    chosen = cosines.gather(2, order.expand(len(cosines), -1, -1))
    weights = counts.gather(1, order).double()
    return ((chosen * weights).sum(2) / weights.sum(1)).mean(1)


def _agreement(columns: npt.NDArray[np.floating], upto: int) -> float:
    """Say where a picture stands between other images and those that excite its unit.

    See `Route`. Sums over layers, so that one at which all images are alike hardly counts.
    """
    picture, natural, _, different = columns[:, : upto + 1].mean(1)
    apart = natural - different
    return float((picture - different) / apart) if apart >= APART else float("nan")
