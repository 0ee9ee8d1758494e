"""What is optimized: numbers that decode to RGB images in [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from featviz.parametrization.color import color_mixing


@dataclass(frozen=True)
class Fourier:
    """A spectrum with decorrelated colors, squashed by a sigmoid.

    Numbers have the shape (3, height, width // 2 + 1, 2): real and imaginary parts of the half
    spectrum of each decorrelated color, before scaling.

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
        """Draw a spectrum of near-gray noise, shape (3, height, width // 2 + 1, 2)."""
        shape = (3, self.height, self.width // 2 + 1, 2)
        return torch.randn(shape, generator=generator).mul(0.01)

    def decode(self, numbers: Tensor) -> Tensor:
        """Turn (N, 3, height, width // 2 + 1, 2) numbers into (N, 3, height, width) in [0, 1]."""
        scale, colors = self._constants_on(numbers.device)
        spectrum = torch.view_as_complex(numbers * scale)
        planes = torch.fft.irfft2(spectrum, s=(self.height, self.width))
        mixed = torch.matmul(colors, planes.flatten(2))
        return mixed.view_as(planes).sigmoid()

    def frequencies(self) -> Tensor:
        """Return cycles a pixel, shape (height, width // 2 + 1, 1)."""
        return cycles(self.height, self.width)[..., None]

    def _constants_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Make the constants once for each device: a copy to a GPU would halt every step."""
        if device not in self._constants:
            # Tensors born in inference mode could not be saved for a later backward pass.
            with torch.inference_mode(False):
                scale = spectrum_scale(self.height, self.width, self.decay)[..., None]
                self._constants[device] = scale.to(device), color_mixing().to(device)
        return self._constants[device]


def cycles(height: int, width: int) -> Tensor:
    """Cycles a pixel of each coefficient of a half spectrum, shape (height, width // 2 + 1)."""
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency: Tensor = (down**2 + across**2).sqrt()
    return frequency


def spectrum_scale(height: int, width: int, decay: float = 1.0) -> Tensor:
    """Weight of each spatial frequency, falling as ``1 / f**decay``.

    Scaling the spectrum makes every frequency take part in an Adam step in proportion to its
    share in natural images, so that pictures grow from coarse to fine.

    Returns
    -------
    Tensor, shape (height, width // 2 + 1)
        Frequencies below one cycle per image share its weight. With it, numbers of unit size
        give pixel values of order one at any image size.

    Source: Lucid, ``optvis/param/spatial.py``; Olah et al., "Feature Visualization", 2017.
    """
    frequency = cycles(height, width).clamp_min(1 / max(height, width))
    scale: Tensor = frequency**-decay * math.sqrt(height * width) / 4
    return scale
