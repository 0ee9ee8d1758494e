"""The protocol of parametrizations: what is optimized, and how it decodes to images."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Parametrization(Protocol):
    """A way to write an image down as free numbers."""

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        ...

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        ...

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw the numbers of one picture, on the CPU."""
        ...

    def decode(self, numbers: Tensor) -> Tensor:
        """Turn the numbers of N pictures into images (N, 3, height, width) in [0, 1]."""
        ...

    def frequencies(self) -> Tensor:
        """Tell the frequency of the wave that each number belongs to, in cycles a pixel.

        On the CPU, of a shape that broadcasts with the numbers; 0 for numbers of no wave.
        """
        ...
