"""Filters that look alike: k-means clusters, and an order in which neighbors look alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from sklearn.cluster import KMeans

from featviz.analysis.filters.noise import OPPONENT, denoised

SEED = 0
"""Of the k-means starts."""

STARTS = 10
"""How often k-means starts; the best result counts."""


@dataclass(frozen=True)
class Clusters:
    """Which filters look alike.

    Attributes
    ----------
    cluster : array of int32, shape (N,)
        Number of each filter's cluster, counted along the display order.
    order : array of int32, shape (N,)
        Rank of each filter in the display order, in which a cluster's filters stand together.
    """

    cluster: NDArray[np.int32]
    order: NDArray[np.int32]


def clusters(filters: NDArray[np.float64]) -> Clusters:
    """Cluster all filters of a layer, shape (N, 3, h, w), on RGB, and put them in order.

    Clusters are of orientation, frequency and color, whatever the position: k-means on
    `appearance`, with ``sqrt(N / 2)`` clusters (rounded). Clusters by their centers, and filters
    within a cluster by appearance and position, are then ordered as the leaves of a tree of
    average linkage, turned so that neighbors are as close as can be.

    Source: Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical
    clustering", Bioinformatics 17, 2001; the number of clusters is Mardia's rule of thumb.
    """
    clean = denoised(filters)
    looks = appearance(clean)
    count = min(max(1, round(np.sqrt(len(looks) / 2))), len(np.unique(looks, axis=0)))
    found = KMeans(count, n_init=STARTS, random_state=SEED).fit(looks)
    details = np.concatenate([looks, _unit(clean.reshape(len(clean), -1))], axis=1)
    ranked: list[int] = []
    numbers = np.empty(len(looks), np.int32)
    for number, label in enumerate(_leaves(found.cluster_centers_)):
        members = np.flatnonzero(found.labels_ == label)
        members = members[_leaves(details[members])]
        if ranked:
            first, last = np.linalg.norm(details[members[[0, -1]]] - details[ranked[-1]], axis=1)
            members = members if first <= last else members[::-1]
        numbers[members] = number
        ranked += members.tolist()
    order = np.empty(len(looks), np.int32)
    order[ranked] = np.arange(len(looks))
    return Clusters(numbers, order)


def appearance(filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Describe filters by how much they have of each frequency, wherever it is.

    Returns
    -------
    array, shape (N, 3 * h * w)
        Amplitudes of the Fourier transform of the gray, red-green and yellow-blue parts, of unit
        norm; the mean keeps its sign, so that red and cyan differ. Filters of zeros are zeros.
    """
    height, width = filters.shape[2:]
    opponent = np.einsum("kc,nchw->nkhw", OPPONENT, filters)
    spectrum = np.fft.fft2(opponent, norm="ortho")
    amplitudes = np.abs(spectrum)
    amplitudes[..., 0, 0] = spectrum[..., 0, 0].real
    return _unit(amplitudes.reshape(len(filters), 3 * height * width))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    result: NDArray[np.float64] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return result


def _leaves(points: NDArray[np.float64]) -> NDArray[np.int32]:
    if len(points) < 2:
        return np.arange(len(points), dtype=np.int32)
    order: NDArray[np.int32] = leaves_list(linkage(points, "average", optimal_ordering=True))
    return order
