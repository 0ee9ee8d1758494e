"""Random numbers of a batch of images."""

from __future__ import annotations

import torch
from torch import Tensor


class Draws:
    """Uniform and normal random numbers for several images at once, all from one generator.

    The order of the calls defines the images of a seed: do not change it.

    Parameters
    ----------
    count : int
        Number of images.
    generator : torch.Generator
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self._generator = generator

    def __call__(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1), shape (count, *shape)."""
        device = self._generator.device
        return torch.rand(self.count, *shape, generator=self._generator, device=device)

    def between(self, low: float, high: float) -> Tensor:
        """Return one uniform number in [`low`, `high`) for each image, shape (count,)."""
        return low + (high - low) * self()

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers of shape (count, *`shape`)."""
        device = self._generator.device
        return torch.randn(self.count, *shape, generator=self._generator, device=device)
