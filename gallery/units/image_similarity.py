"""What a picture looks like, in numbers, and which pictures look most alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # pixels of the square that is described
LAYOUT = 3  # parts of it across and down whose mean colors are taken
ORIENTATIONS = 8
SCALES = 3  # 64, 32 and 16 pixels a side
LENGTH = 3 * LAYOUT**2 + 3 + SCALES * ORIENTATIONS
NEIGHBORS = 8
_BLOCK = 256  # rows of the table of likeness at a time: 19 MB of 18,432 units

# Light, red against green, and yellow against blue, each from -1/2 to 1/2.
_OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, -0.5, 0], [0.25, 0.25, -0.5]])
# Layout, spread and edges, which count alike.
_PARTS = (
    slice(3 * LAYOUT**2),
    slice(3 * LAYOUT**2, 3 * LAYOUT**2 + 3),
    slice(-SCALES * ORIENTATIONS, None),
)

ImageDescriptor = NDArray[np.uint8]


def describe_image(pixels: NDArray[np.uint8]) -> ImageDescriptor:
    """Describe a picture: its colors, where they are, and which way its edges run.

    In this order: the mean of light and of two opponent colors in each of 3 x 3 parts; the
    standard deviation of each over the picture; and, at three scales, the share of the gradients of
    light along each of eight orientations, times how strong they are. Where exactly an edge lies
    does not count: a neuron over all patches answers to a texture wherever it is.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W, 3)
        Of any size.

    Returns
    -------
    array of uint8, shape (54,)

    Source: the orientation histograms are those of Dalal and Triggs, "Histograms of oriented
    gradients for human detection", 2005, over the whole picture; the opponent colors those of van
    de Sande et al., "Evaluating color descriptors", 2010.
    """
    image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    colors = np.asarray(image, np.float64) / 255 @ _OPPONENT.T
    colors[..., 0] -= 0.5
    cuts = np.linspace(0, SIDE, LAYOUT + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(colors, cuts, 0), cuts, 1)
    areas = np.outer(*[np.diff([*cuts, SIDE])] * 2)[..., None]
    parts = [sums / areas + 0.5, colors.std((0, 1)) * 2, _edges(colors[..., 0])]
    values = np.concatenate([part.ravel() for part in parts])
    return np.asarray(np.rint(values.clip(0, 1) * 255), np.uint8)


def _edges(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square roots of the mean strengths of gradients, by scale and orientation, (3, 8)."""
    found = []
    for _ in range(SCALES):
        down, across = np.gradient(light)
        angle = np.arctan2(down, across) % np.pi
        place = np.floor(angle / np.pi * ORIENTATIONS).astype(np.intp) % ORIENTATIONS
        strength = np.bincount(place.ravel(), np.hypot(down, across).ravel(), ORIENTATIONS)
        found.append(np.sqrt(strength / light.size))
        light = (light[::2, ::2] + light[1::2, ::2] + light[::2, 1::2] + light[1::2, 1::2]) / 4
    return np.asarray(found)


def nearest_images(looks: NDArray[np.uint8]) -> Iterator[list[tuple[int, float]]]:
    """Find the pictures that look most like each.

    Likeness is the cosine between descriptions, from which the mean of all pictures is taken away,
    for what all have in common tells none apart. Colors and where they are, how much they vary,
    and edges are each scaled to vary alike over all pictures, so that none drowns the others.

    Parameters
    ----------
    looks : array of uint8, shape (N, 54)
        A row of zeros stands for a picture that there is not.

    Yields
    ------
    list of (int, float)
        Of each picture: at most 8 others and their likeness from 0 to 1, the most alike first; of
        equals the one with the lower number. None below 0 is named.
    """
    known = looks.any(axis=1)
    values = looks.astype(np.float32)
    if known.any():
        values -= values[known].mean(axis=0)
    values[~known] = 0
    for part in _PARTS:
        energy = np.sqrt(np.square(values[:, part]).sum())
        values[:, part] *= np.sqrt(len(values)) / energy if energy > 1e-3 else 0
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    values /= np.where(norms > 1e-3, norms, np.inf)
    for start in range(0, len(values), _BLOCK):
        yield from nearest_in(values[start : start + _BLOCK] @ values.T, start)


def nearest_in(table: NDArray[np.floating[Any]], start: int) -> Iterator[list[tuple[int, float]]]:
    """Name what is most alike in each row of a part of a table of likeness.

    Parameters
    ----------
    table : array, shape (B, N)
        Likeness of the things from `start` on to all N; changed here.
    start : int

    Yields
    ------
    list of (int, float)
        At most 8 others and their likeness to four digits, the most alike first; of equals the
        one with the lower number. None at 0 or below is named.
    """
    table[np.arange(len(table)), np.arange(start, start + len(table))] = -1
    # Rounded, so that equals are equal on every machine.
    yield from (_best(line) for line in np.rint(table * 1e4).astype(np.int32))


def _best(line: NDArray[np.int32]) -> list[tuple[int, float]]:
    count = min(NEIGHBORS, len(line))
    limit = np.partition(line, -count)[-count]
    (above,), (equal,) = np.nonzero(line > limit), np.nonzero(line == limit)
    chosen = np.concatenate([above, equal[: count - len(above)]])
    order = chosen[np.lexsort((chosen, -line[chosen]))]
    return [(int(i), int(line[i]) / 1e4) for i in order if line[i] > 0]
