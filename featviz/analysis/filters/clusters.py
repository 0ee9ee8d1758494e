"""Clusters of similar filters, and a display order in which neighbors are similar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from sklearn.cluster import KMeans

from featviz.analysis.filters.noise import OPPONENT, denoised

SEED = 0
"""Random seed of k-means."""

STARTS = 10
"""Number of initializations of k-means; the best result is kept."""


@dataclass(frozen=True)
class Clusters:
    """Clusters and display order of filters.

    Attributes
    ----------
    cluster : array of int32, shape (N,)
        Cluster of each filter, numbered along the display order.
    order : array of int32, shape (N,)
        Rank of each filter in the display order, in which clusters are contiguous.
    """

    cluster: NDArray[np.int32]
    order: NDArray[np.int32]


def clusters(filters: NDArray[np.float64]) -> Clusters:
    """Cluster the filters of a layer, and order them for display.

    Clusters are of orientation, frequency and color, regardless of position: k-means on
    `appearance`, with ``sqrt(N / 2)`` clusters (rounded). The clusters by their centers, and the
    filters of a cluster by appearance and position, are then ordered as the leaves of a tree of
    average linkage, with the optimal leaf ordering.

    Parameters
    ----------
    filters : array, shape (N, 3, h, w)
        All filters of a layer, on RGB.

    Returns
    -------
    Clusters

    Source: Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical
    clustering", Bioinformatics 17, 2001; the number of clusters is Mardia's rule of thumb.
    """
    clean = denoised(filters)
    descriptors = appearance(clean)
    count = min(max(1, round(np.sqrt(len(descriptors) / 2))), len(np.unique(descriptors, axis=0)))
    found = KMeans(count, n_init=STARTS, random_state=SEED).fit(descriptors)
    details = np.concatenate([descriptors, _unit(clean.reshape(len(clean), -1))], axis=1)
    ranked: list[int] = []
    cluster = np.empty(len(descriptors), np.int32)
    for index, label in enumerate(_leaves(found.cluster_centers_)):
        members = np.flatnonzero(found.labels_ == label)
        members = members[_leaves(details[members])]
        if ranked:
            first, last = np.linalg.norm(details[members[[0, -1]]] - details[ranked[-1]], axis=1)
            members = members if first <= last else members[::-1]
        cluster[members] = index
        ranked += members.tolist()
    order = np.empty(len(descriptors), np.int32)
    order[ranked] = np.arange(len(descriptors))
    return Clusters(cluster, order)


def appearance(filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Describe filters by the amplitude of each frequency, regardless of position and strength.

    Parameters
    ----------
    filters : array, shape (N, 3, h, w)
        On RGB.

    Returns
    -------
    array, shape (N, 3 * h * w)
        Amplitudes of the Fourier transforms of the gray, red-green and yellow-blue parts,
        normalized to unit norm; the mean keeps its sign, so that red and cyan differ. Zero filters
        stay zero.
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
