"""Linear centered kernel alignment: how alike two layers see a set of images.

Two layers are alike if the same pairs of images are alike in both, whatever the units that say so:
neither rotating a layer's outputs nor scaling them changes the measure.

The estimator is the debiased one. The plain one grows towards 1 for any two layers when there are
not many more images than units, which is the usual case here; the debiased one is 0 in expectation
for independent layers at any number of images, and so may come out a little below 0.

Source: Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019; the
unbiased estimator of HSIC: Song et al., "Feature Selection via Dependence Maximization", JMLR 2012,
as used for networks by Nguyen et al., "Do Wide and Deep Networks Learn the Same Things?", ICLR
2021. These average it over minibatches; here one batch holds all images. U-centered Gram matrices,
of which it is the inner product: Székely and Rizzo, "Partial distance correlation", 2014.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError

LEAST = 4
"""Images that the estimator needs: it averages over four different ones at a time."""

_NUMBERS = 2**24  # of Gram matrices held at once, in float64


def linear_cka(x: Tensor, y: Tensor) -> float:
    """Debiased linear CKA of two layers on the same images.

    Parameters
    ----------
    x : Tensor, shape (images, units)
    y : Tensor, shape (images, other units)
        Row i is what the layer makes of image i.

    Returns
    -------
    float
        In [-1, 1]: 1 for equal layers up to rotation, shift and scale, around 0 for independent
        ones; 0 if a layer makes the same of every image.

    Raises
    ------
    FeatvizError
        See `cka_matrix`.
    """
    return cka_matrix([x], [y]).item()


def cka_matrix(xs: Sequence[Tensor], ys: Sequence[Tensor]) -> Tensor:
    """Debiased linear CKA of every layer of one list with every layer of another.

    Gram matrices are made a few rows at a time, so that memory grows with the images, not with
    their square.

    Parameters
    ----------
    xs, ys : sequences of Tensors, shapes (images, units)
        At least one layer each.

    Returns
    -------
    Tensor, shape (len(xs), len(ys))
        float64; see `linear_cka`.

    Raises
    ------
    FeatvizError
        If the layers are not matrices of equally many images, or of fewer than 4.
    """
    shapes = [tuple(each.shape) for each in (*xs, *ys)]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        raise FeatvizError(f"layers are compared by matrices (images, units), not {shapes}")
    images = shapes[0][0]
    if images < LEAST:
        raise FeatvizError(f"comparing layers takes at least {LEAST} images, not {images}")
    layers = [_Gram(each) for each in (*xs, *ys)]
    products = torch.zeros(len(layers), len(layers), dtype=torch.float64)
    step = max(1, _NUMBERS // (images * len(layers)))
    for start in range(0, images, step):
        rows = torch.stack([layer.rows(start, start + step).flatten() for layer in layers])
        products += rows @ rows.mT
    norms = products.diagonal().sqrt()
    norms = torch.where(norms > 0, norms, torch.inf)
    return (products / norms / norms[:, None]).clamp(-1, 1)[: len(xs), len(xs) :]


class _Gram:
    """Rows of the U-centered Gram matrix of a layer.

    U-centring takes from each off-diagonal entry the mean of its row and of its column, with the
    divisors that make the inner product of two such matrices unbiased, and sets the diagonal to 0.
    """

    def __init__(self, features: Tensor) -> None:
        wide = features.detach().to("cpu", torch.float64)
        centered = wide - wide.mean(0)
        size = centered.norm()
        # What is left of equal rows is rounding; anything else is brought to one scale.
        is_constant = size <= 1e-12 * wide.norm()
        self._features = torch.zeros_like(centered) if is_constant else centered / size
        count = len(wide)
        sums = self._features @ self._features.sum(0) - self._features.square().sum(1)
        self._rows = sums / (count - 2)
        self._total = sums.sum() / ((count - 1) * (count - 2))

    def rows(self, start: int, stop: int) -> Tensor:
        """Make rows `start` to `stop`, shape (rows, images)."""
        gram = self._features[start:stop] @ self._features.mT
        gram = gram - self._rows[start:stop, None] - self._rows + self._total
        index = torch.arange(len(gram))
        gram[index, index + start] = 0
        return gram
