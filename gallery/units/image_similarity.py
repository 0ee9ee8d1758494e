"""Image descriptors, and the most similar images by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # pixels of the square that is described
LAYOUT = 3  # rows and columns of cells with a mean color
ORIENTATIONS = 8
SCALES = 3  # 64, 32 and 16 pixels a side
LENGTH = 3 * LAYOUT**2 + 3 + SCALES * ORIENTATIONS
NEIGHBORS = 8
_BLOCK = 256  # rows of the similarity matrix at a time: 19 MB for 18,432 units

# Lightness, red minus green, and yellow minus blue, each from -1/2 to 1/2.
_OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, -0.5, 0], [0.25, 0.25, -0.5]])
# Mean colors, their deviation, and gradients, which have equal weight.
_PARTS = (
    slice(3 * LAYOUT**2),
    slice(3 * LAYOUT**2, 3 * LAYOUT**2 + 3),
    slice(-SCALES * ORIENTATIONS, None),
)

ImageDescriptor = NDArray[np.uint8]
"""Descriptor of an image, shape (54,)."""

Neighbors = Sequence[Sequence[tuple[int, float]]]
"""Most similar others of each image or unit: index and similarity, highest first."""


def describe_image(pixels: NDArray[np.uint8]) -> ImageDescriptor:
    """Compute the descriptor of an image: its color layout and its gradient orientations.

    In this order: the mean lightness and two opponent colors in each of 3 x 3 cells; the standard
    deviation of each over the image; and at three scales a histogram of the orientations of the
    lightness gradient, in eight bins weighted by magnitude. Histograms are of the whole image,
    because a unit over all patches responds to a texture at any position.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W, 3)
        Any size.

    Returns
    -------
    array of uint8, shape (54,)

    Source: the orientation histograms are those of Dalal and Triggs, "Histograms of oriented
    gradients for human detection", 2005, over the whole image; the opponent colors those of van
    de Sande et al., "Evaluating color descriptors", 2010.
    """
    image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    colors = np.asarray(image, np.float64) / 255 @ _OPPONENT.T
    colors[..., 0] -= 0.5
    cuts = np.linspace(0, SIDE, LAYOUT + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(colors, cuts, 0), cuts, 1)
    areas = np.outer(*[np.diff([*cuts, SIDE])] * 2)[..., None]
    parts = [sums / areas + 0.5, colors.std((0, 1)) * 2, _orientations(colors[..., 0])]
    values = np.concatenate([part.ravel() for part in parts])
    return np.asarray(np.rint(values.clip(0, 1) * 255), np.uint8)


def mean_color(descriptor: ImageDescriptor) -> str:
    """Return the mean color of an image, from its descriptor.

    Parameters
    ----------
    descriptor : array of uint8, shape (54,)

    Returns
    -------
    str
        Three hexadecimal digits, of red, green and blue.
    """
    light, *opponents = descriptor[: 3 * LAYOUT**2].reshape(-1, 3).mean(0) / 255
    rgb = np.linalg.solve(_OPPONENT, [light, *np.subtract(opponents, 0.5)])
    return "".join(f"{round(15 * value):x}" for value in rgb.clip(0, 1))


def _orientations(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square roots of the mean gradient magnitudes by scale and orientation, shape (3, 8)."""
    found = []
    for _ in range(SCALES):
        down, across = np.gradient(lightness)
        angle = np.arctan2(down, across) % np.pi
        bins = np.floor(angle / np.pi * ORIENTATIONS).astype(np.intp) % ORIENTATIONS
        magnitude = np.bincount(bins.ravel(), np.hypot(down, across).ravel(), ORIENTATIONS)
        found.append(np.sqrt(magnitude / lightness.size))
        lightness = (
            lightness[::2, ::2]
            + lightness[1::2, ::2]
            + lightness[::2, 1::2]
            + lightness[1::2, 1::2]
        ) / 4
    return np.asarray(found)


def nearest_images(descriptors: NDArray[np.uint8]) -> Iterator[list[tuple[int, float]]]:
    """Find the most similar images of each image.

    The similarity is the cosine of descriptors after their mean is subtracted. Mean colors,
    deviations and gradients are scaled to equal variance over all images.

    Parameters
    ----------
    descriptors : array of uint8, shape (N, 54)
        A row of zeros means that there is no image.

    Yields
    ------
    list of (int, float)
        For each image, at most 8 others: index and similarity in (0, 1], highest first; ties by
        index.
    """
    values = comparable_images(descriptors)
    for start in range(0, len(values), _BLOCK):
        yield from nearest_neighbors(values[start : start + _BLOCK] @ values.T, start)


def comparable_images(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return vectors whose cosine is the similarity of images; see `nearest_images`.

    Parameters
    ----------
    descriptors : array of uint8, shape (N, 54)
        A row of zeros means that there is no image.

    Returns
    -------
    array of float32, shape (N, 54)
        Of length 1, or 0 if there is no image, or it does not differ from the mean.
    """
    known = descriptors.any(axis=1)
    values = descriptors.astype(np.float32)
    if known.any():
        values -= values[known].mean(axis=0)
    values[~known] = 0
    for part in _PARTS:
        energy = np.sqrt(np.square(values[:, part]).sum())
        values[:, part] *= np.sqrt(len(values)) / energy if energy > 1e-3 else 0
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    values /= np.where(norms > 1e-3, norms, np.inf)
    return values


def nearest_neighbors(
    similarity: NDArray[np.floating[Any]], start: int
) -> Iterator[list[tuple[int, float]]]:
    """Find the largest entries in each row of a part of a similarity matrix.

    Parameters
    ----------
    similarity : array, shape (B, N)
        Rows `start` to `start` + B of an N x N matrix; modified in place.
    start : int

    Yields
    ------
    list of (int, float)
        For each row, at most 8 others: index and similarity to four digits, highest first; ties by
        index. Only positive similarities are included.
    """
    size = len(similarity)
    similarity[np.arange(size), np.arange(start, start + size)] = -1
    # Rounded, so that ties are the same on every machine.
    yield from (_largest(row) for row in np.rint(similarity * 1e4).astype(np.int32))


def _largest(row: NDArray[np.int32]) -> list[tuple[int, float]]:
    count = min(NEIGHBORS, len(row))
    limit = np.partition(row, -count)[-count]
    (above,), (equal,) = np.nonzero(row > limit), np.nonzero(row == limit)
    chosen = np.concatenate([above, equal[: count - len(above)]])
    order = chosen[np.lexsort((chosen, -row[chosen]))]
    return [(int(i), int(row[i]) / 1e4) for i in order if row[i] > 0]
