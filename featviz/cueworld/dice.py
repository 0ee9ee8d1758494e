"""The random numbers of one batch."""

from __future__ import annotations

import torch
from torch import Tensor


class Dice:
    """Uniform and normal draws for `count` images at once, all from one generator.

    The order of the calls is part of the world: another order makes other images from a seed.
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self._generator = generator

    def __call__(self, *shape: int) -> Tensor:
        """Draw numbers in [0, 1), shape (count, *shape)."""
        device = self._generator.device
        return torch.rand(self.count, *shape, generator=self._generator, device=device)

    def between(self, low: float, high: float) -> Tensor:
        """Draw one number in [low, high) for every image, shape (count,)."""
        return low + (high - low) * self()

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers, shape (count, *shape)."""
        device = self._generator.device
        return torch.randn(self.count, *shape, generator=self._generator, device=device)
