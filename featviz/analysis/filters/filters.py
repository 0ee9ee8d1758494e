"""Filters of a model's first layer, with their images, classes and clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.classes import CLASSES, classify, statistics
from featviz.analysis.filters.clusters import clusters
from featviz.analysis.filters.first_layer import FirstLayer, first_layer
from featviz.analysis.filters.images import pictures

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Filters:
    """The filters of a first convolution; row n of every attribute is filter n.

    Attributes
    ----------
    addresses : list of str
        Such as ``patch_embed:17`` or ``conv1:3``.
    weights : array of float32, shape (N, 3, h, w)
        Weights with which the layer convolves.
    images : array of uint8, shape (N, h, w, 3)
        See `featviz.analysis.filters.images.pictures`.
    energy, spatial, color : array of float32, shape (N,)
        See `featviz.analysis.filters.classes.Statistics`.
    classes : list of str
        See `featviz.analysis.filters.classes.classify`.
    cluster, order : array of int32, shape (N,)
        See `featviz.analysis.filters.clusters.Clusters`.
    """

    addresses: list[str]
    weights: NDArray[np.float32]
    images: NDArray[np.uint8]
    energy: NDArray[np.float32]
    spatial: NDArray[np.float32]
    color: NDArray[np.float32]
    classes: list[str]
    cluster: NDArray[np.int32]
    order: NDArray[np.int32]

    @property
    def counts(self) -> dict[str, int]:
        """Number of filters of each class, in the order of `CLASSES`."""
        return {name: self.classes.count(name) for name in CLASSES}


def filters(model: VisionModel) -> Filters:
    """Return the filters of the first layer of `model`.

    Raises
    ------
    FeatvizError
        If the first layer is not a convolution on RGB.
    """
    return filters_of(first_layer(model))


def filters_of(layer: FirstLayer) -> Filters:
    """Return the filters of `layer`, with their statistics, classes and clusters."""
    on_rgb = layer.on_rgb(layer.weights)
    measured = statistics(on_rgb)
    clustered = clusters(on_rgb)
    return Filters(
        layer.addresses,
        layer.weights,
        pictures(on_rgb),
        measured.energy.astype(np.float32),
        measured.spatial.astype(np.float32),
        measured.color.astype(np.float32),
        classify(measured),
        clustered.cluster,
        clustered.order,
    )
