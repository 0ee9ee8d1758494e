"""Embedding of units in the plane by t-SNE, so that similar units lie near each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gallery.units.image_similarity import Neighbors

EARLY, LATE = 100, 250  # steps with and without exaggeration
EXAGGERATION = 12.0  # of the attraction in the early steps
MOMENTUM = 0.5, 0.8  # in the early and the late steps
START = 1e-2  # standard deviation of the start along the first axis
CELL = 0.5  # side of the cells on which the repulsion is computed
MIN_CELLS, MAX_CELLS = 40, 512  # along the longer side
MIN_RATE = 50.0  # learning rate of few units
MIN_UNITS = 8  # fewer units stay where principal components place them

Points = NDArray[np.float32]


def embed(neighbors: Neighbors, vectors: NDArray[np.float32]) -> Points:
    """Embed units in the plane by t-SNE on the graph of their nearest neighbors.

    All edges of the graph attract equally. The embedding starts from the first two principal
    components of the vectors, and uses no random numbers.

    Parameters
    ----------
    neighbors : sequence, length N
        Most similar units of each unit.
    vectors : array, shape (N, D)
        Of length 1 (or 0, if unknown); their cosine is the similarity.

    Returns
    -------
    array, shape (N, 2)

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE", 2008; gradient descent on a
    grid by Linderman et al., "Fast interpolation-based t-SNE for improved visualization of
    single-cell RNA-seq data", 2019; equal weights and start by Kobak et al., "Attraction-repulsion
    spectrum in neighbor embeddings", 2022.
    """
    points = _start(vectors)
    first, second, weight = _edges(neighbors)
    if len(points) < MIN_UNITS or not len(first):
        return points
    count = len(points)
    rate = max(count / EXAGGERATION, MIN_RATE)
    velocity, gains = np.zeros_like(points), np.ones_like(points)
    for step in range(EARLY + LATE):
        early = step < EARLY
        # Attraction along the edges.
        difference = points[first] - points[second]
        pull = difference * (weight / (1 + np.square(difference).sum(1)))[:, None]
        attraction = np.stack(
            [np.bincount(first, axis, count) - np.bincount(second, axis, count) for axis in pull.T],
            axis=1,
        )
        gradient = attraction * (EXAGGERATION if early else 1) - _repulsion(points)
        # Learning rates of each coordinate by Jacobs' delta-bar-delta, as in every t-SNE.
        same = np.sign(gradient) == np.sign(velocity)
        gains = np.maximum(np.where(same, gains * 0.8, gains + 0.2), 0.01)
        velocity = MOMENTUM[not early] * velocity - rate * gains * gradient
        points = (points + velocity).astype(np.float32)
        points -= points.mean(0)
    return _principal(points)


def _start(vectors: NDArray[np.float32]) -> Points:
    """Project vectors on their first two principal components, to a small size."""
    points = _principal(vectors)
    scale = points[:, 0].std()
    if scale < 1e-6:
        return np.zeros_like(points)
    # Rounded, so that they do not depend on the number of threads.
    start: Points = np.rint(points / scale * 1e3).astype(np.float32) * np.float32(START / 1e3)
    return start


def _principal(vectors: NDArray[np.float32]) -> Points:
    """Project vectors on their first two principal components; the first is the longer axis."""
    centered = vectors - vectors.mean(0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    axes = axes[:, ::-1][:, :2]
    largest = axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])]
    projected = centered @ (axes * np.sign(largest))
    points = np.zeros((len(vectors), 2), np.float32)
    points[:, : projected.shape[1]] = projected
    return points


def _edges(
    neighbors: Neighbors,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the ends of each edge, and its weight: 2 if both ends are neighbors of the other.

    The weights of both directions of all edges sum to 1.
    """
    pairs = [(i, j) if i < j else (j, i) for i, some in enumerate(neighbors) for j, _ in some]
    ends, counts = np.unique(np.array(pairs, np.intp).reshape(-1, 2), axis=0, return_counts=True)
    weight = (counts / (2 * max(counts.sum(), 1))).astype(np.float32)
    return ends[:, 0], ends[:, 1], weight


def _repulsion(points: Points) -> NDArray[np.floating]:
    """Return the repulsion of each point by all others, shape (N, 2).

    The points are distributed to the corners of their cells, the fields of all cells are computed
    as a convolution, and interpolated at the points.
    """
    count, low = len(points), points.min(0)
    extent = float((points.max(0) - low).max())
    side = max(min(max(CELL, extent / MAX_CELLS), extent / MIN_CELLS), 1e-6)
    size = fft.next_fast_len(2 * (int(extent / side) + 3), real=True)
    offset = (fft.fftfreq(size) * size * side).astype(np.float32)
    across, down = offset[None], offset[:, None]
    kernel = 1 / (1 + np.square(across) + np.square(down))
    kernels = np.stack([kernel, kernel**2 * across, kernel**2 * down])
    cell, part = np.divmod((points - low) / side, 1)
    column, row = cell.astype(np.intp).T
    right, below = part.T
    corners = np.stack([(row + j) * size + column + i for j in (0, 1) for i in (0, 1)])
    shares = np.stack(
        [
            (1 - below) * (1 - right),
            (1 - below) * right,
            below * (1 - right),
            below * right,
        ]
    )
    mass = np.bincount(corners.ravel(), shares.ravel(), size**2).reshape(size, size)
    spectrum = fft.rfft2(mass.astype(np.float32))
    fields = fft.irfft2(spectrum * fft.rfft2(kernels), s=(size, size)).reshape(3, -1)
    values = np.einsum("fcn,cn->fn", fields[:, corners], shares)
    total = max(values[0].sum() - count, 1.0)  # without the pairs of a point and itself
    result: NDArray[np.floating] = values[1:].T / total
    return result
