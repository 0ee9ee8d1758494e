"""Linear centered kernel alignment (CKA): similarity of two layers over a set of images.

Two layers are similar if the same pairs of images are similar in both. CKA does not change when a
layer's outputs are rotated or scaled.

The estimator is the debiased one. The biased one approaches 1 for any two layers unless there are
many more images than units, which is rarely the case. The debiased one is 0 in expectation for
independent layers at any number of images; its values may be slightly negative.

Sources: Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019. The
unbiased estimator of HSIC: Song et al., "Feature Selection via Dependence Maximization", JMLR 2012,
applied to networks by Nguyen et al., "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021;
they average it over minibatches, while here one batch holds all images. It is the inner product of
U-centered Gram matrices: Székely and Rizzo, "Partial distance correlation", 2014.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError

MIN_IMAGES = 4
"""The estimator averages over sets of four different images."""

_MAX_ELEMENTS = 2**24  # of Gram matrices in memory at once, in float64


def linear_cka(x: Tensor, y: Tensor) -> float:
    """Compute the debiased linear CKA of two layers on the same images.

    Parameters
    ----------
    x : Tensor, shape (images, units)
        Output of the first layer.
    y : Tensor, shape (images, other units)
        Output of the second layer on the same images.

    Returns
    -------
    float
        In [-1, 1]: 1 for layers that are equal up to rotation, shift and scale, around 0 for
        independent layers; 0 if the output of a layer is the same for all images.

    Raises
    ------
    FeatvizError
        See `cka_matrix`.
    """
    return cka_matrix([x], [y]).item()


def cka_matrix(xs: Sequence[Tensor], ys: Sequence[Tensor]) -> Tensor:
    """Compute the debiased linear CKA of every layer in one list with every layer in another.

    Gram matrices are computed a few rows at a time, so that memory grows linearly with the number
    of images.

    Parameters
    ----------
    xs, ys : sequences of Tensors, shapes (images, units)
        Outputs of at least one layer each.

    Returns
    -------
    Tensor, shape (len(xs), len(ys))
        float64; see `linear_cka`.

    Raises
    ------
    FeatvizError
        If the layers are not matrices with the same number of images, at least 4.
    """
    shapes = [tuple(each.shape) for each in (*xs, *ys)]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        raise FeatvizError(
            "layers must be matrices (images, units) with the same number of images, got shapes "
            f"{', '.join(map(str, shapes))}"
        )
    images = shapes[0][0]
    if images < MIN_IMAGES:
        raise FeatvizError(f"comparing layers takes at least {MIN_IMAGES} images, not {images}")
    layers = [_CenteredGram(each) for each in (*xs, *ys)]
    products = torch.zeros(len(layers), len(layers), dtype=torch.float64)
    step = max(1, _MAX_ELEMENTS // (images * len(layers)))
    for start in range(0, images, step):
        rows = torch.stack([layer.rows(start, start + step).flatten() for layer in layers])
        products += rows @ rows.mT
    norms = products.diagonal().sqrt()
    norms = torch.where(norms > 0, norms, torch.inf)
    return (products / norms / norms[:, None]).clamp(-1, 1)[: len(xs), len(xs) :]


class _CenteredGram:
    """Rows of the U-centered Gram matrix of a layer.

    U-centering subtracts from each off-diagonal entry the mean of its row and of its column, with
    divisors that make the inner product of two such matrices unbiased, and sets the diagonal to 0.
    """

    def __init__(self, features: Tensor) -> None:
        wide = features.detach().to("cpu", torch.float64)
        centered = wide - wide.mean(0)
        size = centered.norm()
        # What remains of identical rows is rounding error; other layers are scaled to norm 1.
        is_constant = size <= 1e-12 * wide.norm()
        self._features = torch.zeros_like(centered) if is_constant else centered / size
        count = len(wide)
        sums = self._features @ self._features.sum(0) - self._features.square().sum(1)
        self._rows = sums / (count - 2)
        self._total = sums.sum() / ((count - 1) * (count - 2))

    def rows(self, start: int, stop: int) -> Tensor:
        """Compute rows `start` to `stop` (exclusive), shape (rows, images)."""
        gram = self._features[start:stop] @ self._features.mT
        gram = gram - self._rows[start:stop, None] - self._rows + self._total
        index = torch.arange(len(gram))
        gram[index, index + start] = 0
        return gram
