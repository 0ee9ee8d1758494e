"""Pixel parametrization: one value per pixel and channel, the naive baseline."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pixel:
    """One number a pixel and color, squashed by a sigmoid: the naive baseline.

    Numbers have the shape (3, height, width).
    """

    height: int
    width: int

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw near-gray noise, shape (3, height, width)."""
        return torch.randn(3, self.height, self.width, generator=generator).mul(0.01)

    def decode(self, numbers: Tensor) -> Tensor:
        """Turn (N, 3, height, width) numbers into images of that shape in [0, 1]."""
        return numbers.sigmoid()

    def frequencies(self) -> Tensor:
        """Return 0: a pixel belongs to no wave."""
        return torch.zeros(())
