"""Images of a fixed spectrum: only where the waves stand is optimized."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from featviz.parametrization.color import color_mixing
from featviz.parametrization.fourier import cycles
from featviz.parametrization.spectrum import Spectrum, own_mirrors


@dataclass(frozen=True)
class Maco:
    """Phases of an image whose Fourier magnitudes are given, squashed by a sigmoid.

    Numbers have the shape (3, height, width // 2 + 1): the phase, in radians, of each coefficient
    of the half spectrum of each decorrelated color. Where two coefficients must be each
    other's mirror image for the waves to be real (in the first column, and in the last if the
    width is even), half the difference of their numbers counts; one that is its own mirror
    image has phase 0. So every image has the prescribed magnitudes, whatever the numbers.

    The sigmoid's slope is undone at the mean color: to first order an image is that color plus
    the waves.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization", 2023. Not from there: phases are taken as they are, where its code
    standardizes them, and the contrast is that of the spectrum, where its code fixes it.
    """

    height: int
    width: int
    spectrum: Spectrum
    _constants: dict[torch.device, tuple[Tensor, Tensor, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw phases, all equally likely, shape (3, height, width // 2 + 1)."""
        shape = (3, self.height, self.width // 2 + 1)
        return torch.rand(shape, generator=generator).sub(0.5).mul(2 * math.pi)

    def decode(self, numbers: Tensor) -> Tensor:
        """Turn (N, 3, height, width // 2 + 1) numbers into (N, 3, height, width) in [0, 1]."""
        magnitude, own_mirror, colors, mean = self._constants_on(numbers.device)
        opposite = numbers.flip(2).roll(1, 2)
        phases = torch.where(own_mirror, (numbers - opposite) / 2, numbers)
        planes = torch.fft.irfft2(
            torch.polar(magnitude.expand_as(phases), phases), s=(self.height, self.width)
        )
        mixed = torch.matmul(colors, planes.flatten(2)) + mean
        return mixed.view_as(planes).sigmoid()

    def frequencies(self) -> Tensor:
        """Return cycles a pixel, shape (height, width // 2 + 1)."""
        return cycles(self.height, self.width)

    def _constants_on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Make the constants once for each device: a copy to a GPU would halt every step."""
        if device not in self._constants:
            # Tensors born in inference mode could not be saved for a later backward pass.
            with torch.inference_mode(False):
                mean = torch.tensor(self.spectrum.mean)[:, None]
                self._constants[device] = (
                    self.spectrum.magnitude(self.height, self.width).to(device),
                    own_mirrors(self.width).to(device),
                    (color_mixing() / (mean * (1 - mean))).to(device),
                    mean.logit().to(device),
                )
        return self._constants[device]
