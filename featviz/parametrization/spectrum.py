"""How strong each spatial frequency is: of a falling power, or of the images of a dataset."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.parametrization.color import color_mixing
from featviz.parametrization.fourier import cycles

Array = npt.NDArray[np.float64]

# Standard deviation of the pixels of natural images, in parts of the range from black to white.
# Source: that of ImageNet's channels is 0.229, 0.224 and 0.225 (the constants of its models).
CONTRAST = 0.226
# Bands in which frequencies are pooled, of equal width in the logarithm: about five an octave.
BANDS = 32
# Magnitudes are kept to so many significant digits, so that the last bits of another processor's
# arithmetic make no other spectrum.
DIGITS = 3
# Parts of the strongest magnitude to which weaker ones are raised: logarithms need some.
FAINT = 1e-6
# Images of a dataset that are measured: the coarsest band, of the fewest waves, is then known to a
# few per cent.
IMAGES = 1000
# Mean magnitudes below this are rounding errors.
FLAT = 1e-9


@dataclass(frozen=True)
class Spectrum:
    """Magnitude of each spatial frequency, whatever the size of the image.

    A value: two spectra of the same numbers are equal.

    Attributes
    ----------
    name : str
        Where it comes from.
    mean : (float, float, float)
        Mean RGB, within (0, 1).
    frequencies : tuple of float
        In cycles a pixel, rising.
    levels : three tuples of float
        For each decorrelated color (`featviz.parametrization.color.color_mixing`), the mean magnitude of the
        Fourier coefficients at each of the frequencies, over the root of the number of pixels.
    """

    name: str
    mean: tuple[float, float, float]
    frequencies: tuple[float, ...]
    levels: tuple[tuple[float, ...], ...]

    def magnitude(self, height: int, width: int) -> Tensor:
        """Return the magnitude of each coefficient of an image of this size.

        Between the frequencies, levels are interpolated along straight lines in logarithms, so
        that a power stays one; beyond them the nearest holds. The constant part has none.

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
        """SHA-256 of all its numbers, in hexadecimal; the name does not count."""
        text = json.dumps([self.mean, self.frequencies, self.levels])
        return hashlib.sha256(text.encode()).hexdigest()


def power_law(decay: float, height: int, width: int) -> Spectrum:
    """Make the spectrum that falls as ``1 / f**decay``, gray in the mean.

    Its level gives an image of this size the contrast of natural ones: the variance of red, green
    and blue is that of `CONTRAST`, in the mean of the three.
    """
    energy = cycles(height, width).double() ** (-2 * decay)
    energy[0, 0] = 0
    # Every other column stands for its mirror image, too.
    total = 2 * energy.sum() - energy[:, own_mirrors(width)].sum()
    mixing = float(color_mixing().square().sum()) / 3
    level = CONTRAST * math.sqrt(height * width / (float(total) * mixing))
    ends = (1 / max(height, width), 1.0)
    levels = tuple(level * end**-decay for end in ends)
    return Spectrum(f"1 / f**{decay:g}", (0.5, 0.5, 0.5), ends, (levels,) * 3)


def of_data(text: str, side: int) -> Spectrum:
    """Measure the spectrum of a dataset, from 1,000 images of it that are `side` pixels wide.

    Raises
    ------
    FeatvizError
        If there is no such dataset (see `featviz.data.datasets.open_data`), or its images are all flat.
    """
    dataset = open_data(text)
    batches = dataset.batches(side, count=IMAGES)
    return measure(dataset.name, (images for images, _ in batches))


def measure(name: str, batches: Iterable[Tensor]) -> Spectrum:
    """Measure the spectrum that images have in the mean.

    Each image less its mean color is faded out towards its edges (a Hann window), where it would
    else jump to the opposite edge and seem rougher than it is. Magnitudes are averaged over
    images, and their logarithms over the directions and the band of each frequency, so that
    the band of a power is on its line.

    Parameters
    ----------
    name : str
        What the images are called.
    batches : iterable of Tensor, shape (N, 3, side, side)
        RGB in [0, 1]; all of one side.

    Raises
    ------
    FeatvizError
        If there is no image, or all are flat.

    Source: magnitudes averaged over a dataset are those of Fel et al., "Unlocking Feature
    Visualization for Deeper Networks with MAgnitude Constrained Optimization", 2023.
    """
    unmixing = torch.linalg.inv(color_mixing().double())
    total, mean, count = torch.zeros(()), torch.zeros(3, dtype=torch.float64), 0
    for images in batches:
        colors = images.double().mean((2, 3))
        side = images.shape[-1]
        planes = torch.einsum("kc,nchw->nkhw", unmixing, images.double())
        total = total + torch.fft.rfft2(_faded(planes, side)).abs().sum(0)
        mean, count = mean + colors.sum(0), count + len(images)
    if not count:
        raise FeatvizError(f"{name} has no images to measure a spectrum of")
    magnitude = (total / count).numpy()
    if magnitude.max() < FLAT:
        raise FeatvizError(f"the images of {name} are all flat: they have no spectrum")
    frequencies, levels = _pooled(np.maximum(magnitude, FAINT * magnitude.max()))
    red, green, blue = (mean / count).clamp(0.01, 0.99).tolist()
    return Spectrum(
        name,
        (_rounded(red), _rounded(green), _rounded(blue)),
        tuple(map(_rounded, frequencies)),
        tuple(tuple(map(_rounded, plane)) for plane in levels),
    )


def _faded(planes: Tensor, side: int) -> Tensor:
    """Weigh (N, 3, side, side) less its mean by a window of which the squares sum to one."""
    ramp = torch.hann_window(side, dtype=planes.dtype)
    window = ramp[:, None] * ramp
    centered = planes - (planes * window).sum((2, 3), keepdim=True) / window.sum()
    return centered * window / window.square().sum().sqrt()


def _pooled(magnitude: Array) -> tuple[Array, Array]:
    """Average the logarithms of (3, side, side // 2 + 1) over bands of frequencies."""
    side = magnitude.shape[1]
    frequency = cycles(side, side).double().numpy()
    edges = np.geomspace(1 / side, frequency.max() * (1 + 1e-9), BANDS + 1)
    band = np.digitize(frequency, edges * (1 - 1e-9)) - 1
    found = [np.flatnonzero(band.ravel() == number) for number in range(BANDS)]
    found = [places for places in found if len(places)]
    logarithms, wanted = np.log(magnitude.reshape(3, -1)), np.log(frequency.clip(1e-12)).ravel()
    frequencies = np.array([wanted[places].mean() for places in found])
    levels = np.stack([logarithms[:, places].mean(1) for places in found], 1)
    return np.exp(frequencies), np.exp(levels)


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def own_mirrors(width: int) -> Tensor:
    """Tell which columns of a half spectrum are their own mirror images: (width // 2 + 1,).

    They are the first, and the last if the width is even; their coefficients come in pairs of
    which each is the other's conjugate, where all others stand alone for two.
    """
    mirrored: Tensor = 2 * torch.arange(width // 2 + 1) % width == 0
    return mirrored
