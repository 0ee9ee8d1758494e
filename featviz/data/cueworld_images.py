"""Cueworld as a data source: held-out images of the procedural world."""

from __future__ import annotations

import torch
from torch import Tensor

from featviz import cueworld
from featviz._util.seeding import generator_for
from featviz.cueworld.evaluation import HELD_OUT_SEED
from featviz.data.source import digest

MAX_CHECKPOINTS = 512
"""Maximum number of states of the random generator that are kept, 5 kB each."""


class Cueworld:
    """The first images of `featviz.cueworld.batches` with the seed for evaluation.

    Parameters
    ----------
    count : int
        Number of images.
    """

    classes: tuple[str, ...] = cueworld.CLASSES
    wordnet_ids: tuple[str, ...] = ()
    interleaved = True

    def __init__(self, count: int) -> None:
        self._count = count
        self._generator = torch.Generator().manual_seed(HELD_OUT_SEED)
        # By size and block of 18 images: the state of the generator before the block, so that it
        # can be drawn without all earlier ones.
        self._checkpoints: dict[int, dict[int, Tensor]] = {}
        self._latest: tuple[tuple[int, int, tuple[str, int] | None], cueworld.Batch] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return self._count

    def fingerprint(self) -> str:
        """Return a digest of the seed and the count."""
        return digest(["cueworld", str(HELD_OUT_SEED), str(self._count)])

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        """Draw the block that contains an image, unless it is the latest one; see `Source.read`."""
        label = self.label(index)
        return self._block(index, size).images[label], label

    def label(self, index: int) -> int:
        """Return the label of image `index`: classes repeat in order."""
        return index % len(self.classes)

    def mask(self, index: int, size: int) -> Tensor:
        """Return the mask of the object in an image.

        Parameters
        ----------
        index : int
            Index of the image.
        size : int
            Side of the image in pixels.

        Returns
        -------
        Tensor, shape (1, size, size)
            Fraction of each pixel that the object covers, in [0, 1].
        """
        return self._block(index, size).masks[self.label(index)]

    def swapped(self, index: int, size: int, cue: str, seed: int) -> Tensor:
        """Draw an image with another value of one cue; see `featviz.cueworld.sample`.

        Parameters
        ----------
        index : int
            Index of the image.
        size : int
            Side of the image in pixels.
        cue : str
            One of `featviz.cueworld.CUES`.
        seed : int
            Seed of the choice of the other value.

        Returns
        -------
        Tensor, shape (3, size, size)
            RGB in [0, 1].
        """
        return self._block(index, size, (cue, seed)).images[self.label(index)]

    def _block(self, index: int, size: int, swap: tuple[str, int] | None = None) -> cueworld.Batch:
        key = size, index // len(self.classes), swap
        if self._latest is None or self._latest[0] != key:
            self._latest = key, self._draw(*key)
        return self._latest[1]

    def _draw(self, size: int, block: int, swap: tuple[str, int] | None) -> cueworld.Batch:
        first = torch.Generator().manual_seed(HELD_OUT_SEED).get_state()
        checkpoints = self._checkpoints.setdefault(size, {0: first})
        begin = max(index for index in checkpoints if index <= block)
        self._generator.set_state(checkpoints[begin])
        labels = torch.arange(len(self.classes))
        for index in range(begin, block + 1):
            if swap is None or index < block:
                drawn = cueworld.sample(labels, self._generator, size)
            else:
                chosen = generator_for("cue", *swap, block)
                steps = torch.randint(1, 6, labels.shape, generator=chosen)
                drawn = cueworld.sample(labels, self._generator, size, swap[0], steps)
            checkpoints[index + 1] = self._generator.get_state()
            if len(checkpoints) > MAX_CHECKPOINTS:
                _thin_out(checkpoints)
        return drawn


def _thin_out(checkpoints: dict[int, Tensor]) -> None:
    """Keep at most half of the checkpoints, evenly spaced, and the last, for a sequential pass."""
    last = max(checkpoints)
    step = -(-2 * last // MAX_CHECKPOINTS)
    for index in checkpoints.keys() - {*range(0, last, step), last}:
        del checkpoints[index]
