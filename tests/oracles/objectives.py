"""Similarity of samples, and total variation of an image, by their definitions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mean_gram_cosine(samples: Array) -> float:
    """Mean cosine between the Gram matrices of all pairs of samples (D, tokens, channels)."""
    grams = [_gram(sample) for sample in samples]
    cosines = [
        _inner(a, b) / math.sqrt(_inner(a, a) * _inner(b, b))
        for i, a in enumerate(grams)
        for j, b in enumerate(grams)
        if i != j
    ]
    return sum(cosines) / len(cosines)


def _gram(features: Array) -> Array:
    """Sum over tokens of the outer product of the channels."""
    channels = features.shape[1]
    gram = np.zeros((channels, channels))
    for token in features:
        gram += token[:, None] * token[None, :]
    return gram


def _inner(a: Array, b: Array) -> float:
    return float((a * b).sum())


def total_variation(image: Array) -> float:
    """Mean absolute difference to the pixel below plus that to the right, of (C, height, width)."""
    channels, height, width = image.shape
    down, right = [], []
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                if y + 1 < height:
                    down.append(abs(image[channel, y + 1, x] - image[channel, y, x]))
                if x + 1 < width:
                    right.append(abs(image[channel, y, x + 1] - image[channel, y, x]))
    return float(np.mean(down) + np.mean(right))
