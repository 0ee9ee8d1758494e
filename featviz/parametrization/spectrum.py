"""Magnitude spectra: a power law, or the mean of the images of a dataset."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.parametrization.fourier import color_mixing, cycles

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset

Array = npt.NDArray[np.float64]

# Standard deviation of the pixels of natural images, relative to the range from black to white.
# Source: that of ImageNet's channels is 0.229, 0.224 and 0.225 (the constants of its models).
CONTRAST = 0.226
# Frequency bands, of equal width in the logarithm: about five per octave.
BANDS = 32
# Significant digits of a magnitude, so that rounding on another processor gives the same spectrum.
DIGITS = 3
# Lower bound of a magnitude, relative to the largest: its logarithm is taken.
FAINT = 1e-6
# Images of a dataset that are used: the coarsest band, with the fewest coefficients, is then known
# to a few per cent.
IMAGES = 1000
# Mean magnitudes below this are rounding errors.
FLAT = 1e-9


@dataclass(frozen=True)
class Spectrum:
    """Magnitude of each spatial frequency, independent of the image size.

    Spectra with the same values are equal.

    Attributes
    ----------
    name : str
        Where it comes from, such as the name of a dataset.
    mean : (float, float, float)
        Mean RGB, within (0, 1).
    frequencies : tuple of float
        In cycles per pixel, ascending.
    levels : three tuples of float
        For each decorrelated color (`featviz.parametrization.fourier.color_mixing`), the mean
        magnitude of the Fourier coefficients at each of the frequencies, divided by
        ``sqrt(height * width)``.
    """

    name: str
    mean: tuple[float, float, float]
    frequencies: tuple[float, ...]
    levels: tuple[tuple[float, ...], ...]

    def magnitude(self, height: int, width: int) -> Tensor:
        """Return the magnitude of each coefficient of the half spectrum of an image.

        Levels are interpolated linearly in the logarithms, so that a power law stays one; outside
        the known frequencies the nearest level holds. The mean's magnitude is 0.

        Parameters
        ----------
        height, width : int
            Of the image in pixels.

        Returns
        -------
        Tensor, shape (3, height, width // 2 + 1)
        """
        frequency = cycles(height, width).double().numpy()
        known, wanted = np.log(self.frequencies), np.log(frequency.clip(1e-12))
        planes = [np.interp(wanted, known, np.log(levels)) for levels in self.levels]
        magnitude = np.exp(planes) * math.sqrt(height * width)
        magnitude[:, 0, 0] = 0
        return torch.from_numpy(magnitude).float()

    @property
    def digest(self) -> str:
        """SHA-256 of the values, in hexadecimal; the name is left out."""
        text = json.dumps([self.mean, self.frequencies, self.levels])
        return hashlib.sha256(text.encode()).hexdigest()


def power_law(decay: float, height: int, width: int) -> Spectrum:
    """Make a spectrum that falls as ``1 / f**decay``, with a gray mean.

    Its level gives an image of this size the contrast of natural images: the mean variance of the
    three channels is ``CONTRAST ** 2``.

    Parameters
    ----------
    decay : float
        Exponent.
    height, width : int
        Of the image in pixels.

    Returns
    -------
    Spectrum
    """
    energy = cycles(height, width).double() ** (-2 * decay)
    energy[0, 0] = 0
    # Every other column also represents its conjugate.
    total = 2 * energy.sum() - energy[:, self_conjugate_columns(width)].sum()
    mixing = float(color_mixing().square().sum()) / 3
    level = CONTRAST * math.sqrt(height * width / (float(total) * mixing))
    ends = (1 / max(height, width), 1.0)
    levels = tuple(level * end**-decay for end in ends)
    return Spectrum(f"1 / f**{decay:g}", (0.5, 0.5, 0.5), ends, (levels,) * 3)


def spectrum_of_dataset(data: str | Dataset, side: int) -> Spectrum:
    """Measure the mean spectrum of the first 1,000 images of a dataset.

    Parameters
    ----------
    data : str or Dataset
        A dataset, or the text that names it; see `featviz.data.datasets.open_data`.
    side : int
        Side in pixels to which images are resized.

    Returns
    -------
    Spectrum

    Raises
    ------
    FeatvizError
        If there is no such dataset, an image cannot be read, or all images are uniform.
    """
    from featviz.data.datasets import open_data  # noqa: PLC0415  rarely needed, and heavy

    if isinstance(data, str):
        opened = open_data(data, skip_unreadable=None)
        data = opened.readable(opened.indices(IMAGES))
    batches = data.batches(side, count=IMAGES)
    return mean_spectrum(data.name, (images for images, _ in batches))


def mean_spectrum(name: str, batches: Iterable[Tensor]) -> Spectrum:
    """Measure the mean spectrum of images.

    The mean color is subtracted, and a Hann window removes the jump between opposite edges.
    Magnitudes are averaged over images, and their logarithms over the directions and frequencies of
    a band, so that the bands of a power law lie on its line.

    Parameters
    ----------
    name : str
        Name of the images.
    batches : iterable of Tensor, shape (N, 3, side, side)
        RGB in [0, 1]; all of one side.

    Returns
    -------
    Spectrum

    Raises
    ------
    FeatvizError
        If there is no image, or all are uniform.

    Source: magnitudes averaged over a dataset are those of Fel et al., "Unlocking Feature
    Visualization for Deeper Networks with MAgnitude Constrained Optimization", 2023.
    """
    unmixing = torch.linalg.inv(color_mixing().double())
    mean, total = torch.zeros(3, dtype=torch.float64, device="cpu"), torch.zeros((), device="cpu")
    count = 0
    for images in batches:
        colors = images.double().mean((2, 3))
        side = images.shape[-1]
        planes = torch.einsum("kc,nchw->nkhw", unmixing, images.double())
        total = total + torch.fft.rfft2(_windowed(planes, side)).abs().sum(0)
        mean, count = mean + colors.sum(0), count + len(images)
    if not count:
        raise FeatvizError(f"{name} has no images to measure a spectrum of")
    magnitude = (total / count).numpy()
    if magnitude.max() < FLAT:
        raise FeatvizError(f"all images of {name} are uniform, so they have no spectrum")
    frequencies, levels = _pool_bands(np.maximum(magnitude, FAINT * magnitude.max()))
    red, green, blue = (mean / count).clamp(0.01, 0.99).tolist()
    return Spectrum(
        name,
        (_round(red), _round(green), _round(blue)),
        tuple(map(_round, frequencies)),
        tuple(tuple(map(_round, plane)) for plane in levels),
    )


def _windowed(planes: Tensor, side: int) -> Tensor:
    """Subtract the mean of (N, 3, side, side) and apply a window whose squares sum to one."""
    ramp = torch.hann_window(side, dtype=planes.dtype, device=planes.device)
    window = ramp[:, None] * ramp
    centered = planes - (planes * window).sum((2, 3), keepdim=True) / window.sum()
    return centered * window / window.square().sum().sqrt()


def _pool_bands(magnitude: Array) -> tuple[Array, Array]:
    """Average the logarithms of (3, side, side // 2 + 1) over frequency bands."""
    side = magnitude.shape[1]
    frequency = cycles(side, side).double().numpy()
    edges = np.geomspace(1 / side, frequency.max() * (1 + 1e-9), BANDS + 1)
    band = np.digitize(frequency, edges * (1 - 1e-9)) - 1
    members = [np.flatnonzero(band.ravel() == index) for index in range(BANDS)]
    members = [indices for indices in members if len(indices)]
    logarithms, wanted = np.log(magnitude.reshape(3, -1)), np.log(frequency.clip(1e-12)).ravel()
    frequencies = np.array([wanted[indices].mean() for indices in members])
    levels = np.stack([logarithms[:, indices].mean(1) for indices in members], 1)
    return np.exp(frequencies), np.exp(levels)


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def self_conjugate_columns(width: int) -> Tensor:
    """Return which columns of a half spectrum hold both coefficients of each conjugate pair.

    These are the first, and the last if the width is even. Every other column represents its
    conjugate column too.

    Parameters
    ----------
    width : int
        Of the image in pixels.

    Returns
    -------
    Tensor of bool, shape (width // 2 + 1,)
    """
    found: Tensor = 2 * torch.arange(width // 2 + 1, device="cpu") % width == 0
    return found
