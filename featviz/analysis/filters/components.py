"""Principal components of a layer's filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.first_layer import FirstLayer
from featviz.analysis.filters.images import pictures

MAX_COMPONENTS = 28
"""Number of components, at most. Source: Dosovitskiy et al., "An Image is Worth 16x16 Words",
2021, figure 7."""


@dataclass(frozen=True)
class Components:
    """Principal components of filters, in descending order of variance.

    Attributes
    ----------
    addresses : list of str
        ``patch_embed.pca:0`` and so on.
    weights : array of float32, shape (N, 3, h, w)
        In the space of the layer's weights, of unit norm; the sign makes the largest absolute
        weight positive.
    images : array of uint8, shape (N, h, w, 3)
        See `featviz.analysis.filters.images.pictures`.
    variance : array of float32, shape (N,)
        Fraction of the filters' variance, in [0, 1]; 0 if the filters are equal.
    """

    addresses: list[str]
    weights: NDArray[np.float32]
    images: NDArray[np.uint8]
    variance: NDArray[np.float32]


def component_addresses(layer: FirstLayer) -> list[str]:
    """Return the addresses of the components of `layer`: at most `MAX_COMPONENTS`."""
    filters, *shape = layer.weights.shape
    count = min(MAX_COMPONENTS, filters - 1, int(np.prod(shape)))
    return [f"{layer.path}.pca:{index}" for index in range(count)]


def components(layer: FirstLayer) -> Components:
    """Return the principal components of the weights of `layer`, centered over its filters."""
    addresses = component_addresses(layer)
    rows = layer.weights.reshape(len(layer.weights), -1).astype(np.float64)
    _, sizes, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    axes = axes[: len(addresses)]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(1)]
    weights = (axes * np.sign(largest)[:, None]).reshape(-1, *layer.weights.shape[1:])
    total = (sizes**2).sum()
    variance = sizes[: len(addresses)] ** 2 / (total if total > 0 else 1)
    return Components(
        addresses,
        weights.astype(np.float32),
        pictures(layer.on_rgb(weights)),
        variance.astype(np.float32),
    )
