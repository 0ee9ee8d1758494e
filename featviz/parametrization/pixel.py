"""Pixel parametrization: one value per pixel and channel, the naive baseline."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.parametrization.base import logits


@dataclass(frozen=True)
class Pixel:
    """Pixel values before a sigmoid.

    Parameters have the shape (3, height, width).
    """

    height: int
    width: int

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw nearly gray noise; see `Parametrization.initial`."""
        shape = (3, self.height, self.width)
        return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").mul(0.01)

    def decode(self, parameters: Tensor) -> Tensor:
        """Decode (N, 3, height, width) parameters; see `Parametrization.decode`."""
        return parameters.sigmoid()

    def encode(self, images: Tensor) -> Tensor:
        """Encode images (N, 3, height, width); see `Encoder.encode`."""
        return logits(images)
