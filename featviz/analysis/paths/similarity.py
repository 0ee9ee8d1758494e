"""Computation of activation paths from the representations of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from featviz.analysis.paths.path import ActivationPath

NEAREST = 3
"""Number of top images that an image is compared with: its nearest ones. Several kinds of images
may activate a unit, and a picture shows one of them."""
MIN_SPREAD = 0.1
"""Smallest difference between the mean cosines of top images and of images of other classes for
which a naturalness is computed. Below, it would be a quotient of two noises."""


def activation_path(
    layers: Sequence[str],
    picture: Sequence[Tensor],
    top: Sequence[Tensor],
    others: Sequence[Tensor],
    labels: tuple[Tensor, Tensor],
    last: int,
) -> ActivationPath:
    """Compare a picture with natural images at each layer.

    A layer represents an image by a vector: the mean of its output over patches or positions,
    minus the mean of this vector over natural images. The similarity of two images is the cosine
    of their vectors. The similarity of an image to the top images is the mean over those three
    that are nearest to it in the layers before the unit, itself excluded.

    Parameters
    ----------
    layers : sequence of str
        Names of L layers.
    picture : sequence of Tensor, shape (channels,)
        Vector of the picture at each layer.
    top : sequence of Tensor, shape (K, channels)
        Vectors of the natural images that activate the unit most.
    others : sequence of Tensor, shape (P, channels)
        Vectors of other natural images.
    labels : two Tensors, shapes (K,) and (P,)
        Classes of the top and of the other images, -1 where unknown.
    last : int
        Index in `layers` of the last layer before the unit.

    Returns
    -------
    ActivationPath
    """
    count = len(labels[0])
    cosines = torch.stack(
        [
            F.normalize(torch.cat([one[None], some, rest]).double(), dim=1)
            @ F.normalize(some.double(), dim=1).mT
            for one, some, rest in zip(picture, top, others, strict=True)
        ]
    )
    is_same = (labels[1][:, None] == labels[0]) & (labels[0] >= 0)
    every = torch.ones(1, count, dtype=torch.bool)
    similarities = torch.stack(
        [
            _nearest(cosines[:, :1], every, last),
            _nearest(cosines[:, 1 : count + 1], ~torch.eye(count, dtype=torch.bool), last),
            _nearest(cosines[:, count + 1 :], is_same, last),
            _nearest(cosines[:, count + 1 :], ~is_same, last),
        ]
    ).numpy()
    of_picture, natural, same, different = similarities.astype(np.float32)
    naturalness = _naturalness(similarities, last)
    return ActivationPath(tuple(layers), of_picture, natural, same, different, naturalness)


def _nearest(cosines: Tensor, pairs: Tensor, last: int) -> Tensor:
    """Average the similarities (L, N, K) of N images to the nearest of K top images.

    Parameters
    ----------
    pairs : Tensor of bool, shape (N, K)
        Which pairs to compare. Images without a pair are left out.

    Returns
    -------
    Tensor, shape (L,)
        NaN if there is no pair.
    """
    some = pairs.any(1)
    cosines, pairs = cosines[:, some], pairs[some]
    total = cosines[: last + 1].sum(0).masked_fill(~pairs, -torch.inf)
    order = total.argsort(stable=True, dim=1, descending=True)[:, :NEAREST]
    chosen = cosines.gather(2, order.expand(len(cosines), -1, -1))
    weights = pairs.gather(1, order).double()
    return ((chosen * weights).sum(2) / weights.sum(1)).mean(1)


def _naturalness(similarities: npt.NDArray[np.floating], last: int) -> float:
    """Compute the naturalness of a path; see `ActivationPath`.

    Similarities are summed over layers before they are divided, so that a layer at which all
    images are similar hardly counts.
    """
    picture, natural, _, different = similarities[:, : last + 1].mean(1)
    spread = natural - different
    return float((picture - different) / spread) if spread >= MIN_SPREAD else float("nan")
