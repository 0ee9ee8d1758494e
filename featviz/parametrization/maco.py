"""MaCo parametrization: Fourier magnitudes are fixed, only phases are optimized."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from featviz.parametrization.base import logits
from featviz.parametrization.fourier import color_mixing, cycles
from featviz.parametrization.spectrum import Spectrum, self_conjugate_columns


@dataclass(frozen=True)
class Maco:
    """Phases of an image with given Fourier magnitudes, before a sigmoid.

    Parameters have the shape (3, height, width // 2 + 1): the phase, in radians, of each
    coefficient of the half spectrum of each decorrelated color. In the columns in which the
    coefficients of a real image are conjugates of each other (the first, and the last if the width
    is even), a pair of coefficients uses half the difference of its two parameters, and a
    coefficient that is its own conjugate has phase 0. So every image has the prescribed magnitudes,
    whatever the parameters.

    The sigmoid's slope at the mean color is divided out: to first order an image is the mean color
    plus its waves.

    Attributes
    ----------
    height, width : int
        In pixels.
    spectrum : Spectrum
        The magnitudes and the mean color.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization", 2023. Two differences: their code standardizes the phases and fixes
    the contrast; here phases are used as they are, and the contrast is that of the spectrum.
    """

    height: int
    width: int
    spectrum: Spectrum
    _constants: dict[torch.device, tuple[Tensor, Tensor, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw phases uniformly in [-pi, pi); see `Parametrization.initial`."""
        shape = (3, self.height, self.width // 2 + 1)
        drawn = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
        return drawn.sub(0.5).mul(2 * math.pi)

    def decode(self, parameters: Tensor) -> Tensor:
        """Decode (N, 3, height, width // 2 + 1) parameters; see `Parametrization.decode`."""
        magnitude, self_conjugate, colors, mean = self._constants_on(parameters.device)
        opposite = parameters.flip(2).roll(1, 2)
        phases = torch.where(self_conjugate, (parameters - opposite) / 2, parameters)
        planes = torch.fft.irfft2(
            torch.polar(magnitude.expand_as(phases), phases), s=(self.height, self.width)
        )
        mixed = torch.matmul(colors, planes.flatten(2)) + mean
        return mixed.view_as(planes).sigmoid()

    def encode(self, images: Tensor) -> Tensor:
        """Return the phases of images (N, 3, height, width), whose magnitudes are dropped."""
        _, _, colors, mean = self._constants_on(images.device)
        unmixed = torch.linalg.inv(colors) @ (logits(images).flatten(2) - mean)
        phases: Tensor = torch.fft.rfft2(unmixed.view_as(images)).angle()
        return phases

    def frequencies(self) -> Tensor:
        """Return cycles per pixel, shape (height, width // 2 + 1)."""
        return cycles(self.height, self.width)

    def _constants_on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Make the constants once per device: a copy to a GPU would synchronize every step."""
        if device not in self._constants:
            # Tensors created in inference mode cannot be saved for a later backward pass.
            with torch.inference_mode(False):
                mean = torch.tensor(self.spectrum.mean, dtype=torch.float32, device="cpu")[:, None]
                self._constants[device] = (
                    self.spectrum.magnitude(self.height, self.width).to(device),
                    self_conjugate_columns(self.width).to(device),
                    (color_mixing() / (mean * (1 - mean))).to(device),
                    mean.logit().to(device),
                )
        return self._constants[device]
