"""Principal components of a layer's filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.first_layer import FirstLayer
from featviz.analysis.filters.images import pictures

MOST = 28
"""As many as Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, show in figure 7."""


@dataclass(frozen=True)
class Components:
    """The directions in which filters differ most, the first of them the strongest.

    Attributes
    ----------
    addresses : list of str
        ``patch_embed.pca:0`` and so on.
    weights : array of float32, shape (N, 3, h, w)
        In the space of the layer's weights, each of unit norm; of a component and its negative,
        which are equally good, the one whose largest absolute weight is positive.
    images : array of bytes, shape (N, h, w, 3)
        As of filters, see `pictures`.
    variance : array of float32, shape (N,)
        Share of the filters' variance; 0 if they do not differ.
    """

    addresses: list[str]
    weights: NDArray[np.float32]
    images: NDArray[np.uint8]
    variance: NDArray[np.float32]


def component_addresses(layer: FirstLayer) -> list[str]:
    """List the components there are: as many as filters can differ in, `MOST` at most."""
    filters, *shape = layer.weights.shape
    count = min(MOST, filters - 1, int(np.prod(shape)))
    return [f"{layer.path}.pca:{number}" for number in range(count)]


def components(layer: FirstLayer) -> Components:
    """Find the principal components of a layer's weights, less their mean over the filters."""
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
