"""Cueworld as a data source: held-out images of the procedural world."""

from __future__ import annotations

import torch
from torch import Tensor

from featviz import cueworld
from featviz.data.source import HELD_OUT, digest

STARTS = 512
"""Places in the random stream that are kept, 5 kB each, however many images there are."""


class Cueworld:
    """The first images of the stream that `featviz.cueworld.evaluation` measures accuracy on."""

    classes: tuple[str, ...] = cueworld.CLASSES
    in_turn = True

    def __init__(self, count: int) -> None:
        self._count = count
        self._generator = torch.Generator().manual_seed(HELD_OUT)
        # By size: where the random stream stands before some blocks of 18 images, so that a block
        # can be drawn again without all those before it.
        self._starts: dict[int, dict[int, Tensor]] = {}
        self._drawn: tuple[int, int, cueworld.Batch] | None = None

    def __len__(self) -> int:
        """Count the images."""
        return self._count

    def fingerprint(self) -> str:
        """Digest of the stream and the count."""
        return digest(["cueworld", str(HELD_OUT), str(self._count)])

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Draw the block that an image is in, unless it was the last one drawn."""
        index = self.label(number)
        return self._block(number, size).images[index], index

    def label(self, number: int) -> int:
        """Return the class; they take turns."""
        return number % len(self.classes)

    def mask(self, number: int, size: int) -> Tensor:
        """Return the share of each pixel that an image's object covers, (1, size, size)."""
        return self._block(number, size).masks[self.label(number)]

    def _block(self, number: int, size: int) -> cueworld.Batch:
        block = number // len(self.classes)
        if self._drawn is None or self._drawn[:2] != (size, block):
            self._drawn = size, block, self._draw(size, block)
        return self._drawn[2]

    def _draw(self, size: int, block: int) -> cueworld.Batch:
        first = torch.Generator().manual_seed(HELD_OUT).get_state()
        starts = self._starts.setdefault(size, {0: first})
        begin = max(number for number in starts if number <= block)
        self._generator.set_state(starts[begin])
        for number in range(begin, block + 1):
            drawn = cueworld.sample(torch.arange(len(self.classes)), self._generator, size)
            starts[number + 1] = self._generator.get_state()
            if len(starts) > STARTS:
                _thin(starts)
        return drawn


def _thin(starts: dict[int, Tensor]) -> None:
    """Keep half of the places at most, evenly spaced, and the last, where a first pass goes on."""
    last = max(starts)
    step = -(-2 * last // STARTS)
    for number in starts.keys() - {*range(0, last, step), last}:
        del starts[number]
