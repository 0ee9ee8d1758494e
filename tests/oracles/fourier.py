"""Lucid's Fourier images as a sum of sinusoids, one frequency at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# From Lucid's optvis/param/color.py.
_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


def fourier_image(parameters: Array, height: int, width: int, decay: float) -> Array:
    """Decode real and imaginary parts (3, height, width // 2 + 1, 2) to (3, height, width)."""
    planes = np.stack([_inverse(_scaled(plane, height, width, decay)) for plane in parameters])
    longest = max(math.sqrt(sum(_ROOT[row, k] ** 2 for row in range(3))) for k in range(3))
    rgb = np.zeros_like(planes)
    for channel in range(3):
        for k in range(3):
            rgb[channel] += _ROOT[channel, k] / longest * planes[k]
    return 1 / (1 + np.exp(-rgb))


def scale(ky: int, kx: int, height: int, width: int, decay: float) -> float:
    """Lucid's scale of the coefficient of ky vertical and kx horizontal cycles per image.

    ``sqrt(width * height) / max(f, 1 / max(width, height)) ** decay``, divided by 4.
    """
    signed = ky if ky <= height // 2 else ky - height
    frequency = math.hypot(signed / height, kx / width)
    power = math.pow(max(frequency, 1 / max(width, height)), -decay)
    return math.sqrt(width * height) * power / 4


def _scaled(parameters: Array, height: int, width: int, decay: float) -> NDArray[np.complex128]:
    """Scale a half spectrum, and complete it so that the image is real."""
    half = np.zeros((height, width // 2 + 1), dtype=np.complex128)
    for ky in range(height):
        for kx in range(width // 2 + 1):
            real, imaginary = parameters[ky, kx]
            half[ky, kx] = scale(ky, kx, height, width, decay) * complex(real, imaginary)
    full = np.zeros((height, width), dtype=np.complex128)
    for ky in range(height):
        for kx in range(width):
            mirrored = -ky % height, -kx % width
            if kx == mirrored[1]:
                # The column is its own mirror image; only its Hermitian part contributes.
                full[ky, kx] = (half[ky, kx] + np.conj(half[mirrored])) / 2
            else:
                full[ky, kx] = half[ky, kx] if 2 * kx < width else np.conj(half[mirrored])
    return full


def _inverse(spectrum: NDArray[np.complex128]) -> Array:
    height, width = spectrum.shape
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    image = np.zeros((height, width), dtype=np.complex128)
    for ky in range(height):
        for kx in range(width):
            turns = ky * y / height + kx * x / width
            image += spectrum[ky, kx] * np.exp(2j * np.pi * turns) / (height * width)
    assert np.abs(image.imag).max() < 1e-9 * max(1, np.abs(image.real).max())
    return image.real
