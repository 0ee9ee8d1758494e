"""Fourier parametrization: decorrelated colors and frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from featviz.parametrization.base import logits

# Square root of the covariance of ImageNet's colors. Source: Lucid, ``optvis/param/color.py``.
COLOR_COVARIANCE_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


@dataclass(frozen=True)
class Fourier:
    """Fourier coefficients of decorrelated colors, scaled by frequency, before a sigmoid.

    Parameters have the shape (3, height, width // 2 + 1, 2): real and imaginary parts of the half
    spectrum of each decorrelated color, before scaling.

    Attributes
    ----------
    height, width : int
        In pixels.
    decay : float
        Exponent of the scale ``1 / f**decay``; see `spectrum_scale`.

    Source: Lucid, ``optvis/param/spatial.py`` and ``color.py``; Olah et al., "Feature
    Visualization", 2017.
    """

    height: int
    width: int
    decay: float = 1.0
    _constants: dict[torch.device, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw the spectrum of nearly gray noise; see `Parametrization.initial`."""
        shape = (3, self.height, self.width // 2 + 1, 2)
        return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").mul(0.01)

    def decode(self, parameters: Tensor) -> Tensor:
        """Decode (N, 3, height, width // 2 + 1, 2) parameters; see `Parametrization.decode`."""
        scale, colors = self._constants_on(parameters.device)
        spectrum = torch.view_as_complex(parameters * scale)
        planes = planes_of(spectrum, self.width)
        mixed = torch.matmul(colors, planes.flatten(2))
        return mixed.view_as(planes).sigmoid()

    def encode(self, images: Tensor) -> Tensor:
        """Encode images (N, 3, height, width); see `Encoder.encode`."""
        scale, colors = self._constants_on(images.device)
        unmixed = torch.linalg.inv(colors) @ logits(images).flatten(2)
        return torch.view_as_real(torch.fft.rfft2(unmixed.view_as(images))) / scale

    def frequencies(self) -> Tensor:
        """Return cycles per pixel, shape (height, width // 2 + 1, 1)."""
        return cycles(self.height, self.width)[..., None]

    def _constants_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Make the constants once per device: a copy to a GPU would synchronize every step."""
        if device not in self._constants:
            # Tensors created in inference mode cannot be saved for a later backward pass.
            with torch.inference_mode(False):
                scale = spectrum_scale(self.height, self.width, self.decay)[..., None]
                self._constants[device] = scale.to(device), color_mixing().to(device)
        return self._constants[device]


def planes_of(spectrum: Tensor, width: int) -> Tensor:
    """Return the real planes of half spectra, as ``torch.fft.irfft2`` does on the CPU.

    Parameters
    ----------
    spectrum : Tensor of complex, shape (..., height, width // 2 + 1)
        Any numbers. ``irfft2`` on CUDA assumes that the first column is that of real planes.
    width : int

    Returns
    -------
    Tensor, shape (..., height, width)
    """
    planes: Tensor = torch.fft.irfft(torch.fft.ifft(spectrum, dim=-2), n=width)
    return planes


def cycles(height: int, width: int) -> Tensor:
    """Return the frequency of each coefficient of a half spectrum.

    Parameters
    ----------
    height, width : int
        Of the image in pixels.

    Returns
    -------
    Tensor, shape (height, width // 2 + 1)
        In cycles per pixel.
    """
    down = torch.fft.fftfreq(height, dtype=torch.float32, device="cpu")[:, None]
    across = torch.fft.rfftfreq(width, dtype=torch.float32, device="cpu")[None]
    frequency: Tensor = (down**2 + across**2).sqrt()
    return frequency


def spectrum_scale(height: int, width: int, decay: float = 1.0) -> Tensor:
    """Return the scale of each spatial frequency, ``1 / f**decay``.

    With it every frequency takes part in an Adam step in proportion to its share in natural
    images, so that images form from coarse to fine.

    Parameters
    ----------
    height, width : int
        Of the image in pixels.
    decay : float
        Exponent; the amplitude of natural images falls with about 1.

    Returns
    -------
    Tensor, shape (height, width // 2 + 1)
        Frequencies below one cycle per image have that frequency's scale. Parameters of unit size
        give pixel values of order one at any image size.

    Source: Lucid, ``optvis/param/spatial.py``; Olah et al., "Feature Visualization", 2017.
    """
    frequency = cycles(height, width).clamp_min(1 / max(height, width))
    scale: Tensor = frequency**-decay * math.sqrt(height * width) / 4
    return scale


def color_mixing() -> Tensor:
    """Return the matrix from decorrelated colors to RGB.

    Returns
    -------
    Tensor, shape (3, 3)
        Its largest column has norm one.

    Source: Lucid, ``optvis/param/color.py``.
    """
    root = torch.tensor(COLOR_COVARIANCE_ROOT, dtype=torch.float32, device="cpu")
    return root.div(root.norm(dim=0).max())
