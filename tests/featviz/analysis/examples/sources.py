"""Datasets made up for tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.data.datasets import Dataset
from featviz.data.source import digest


class Noise:
    """Images of noise, each drawn from its own seed; equal seeds make equal images."""

    wordnet_ids: tuple[str, ...] = ()
    interleaved = True

    def __init__(self, seeds: Sequence[int], classes: tuple[str, ...] = ()) -> None:
        self.seeds, self.classes = seeds, classes

    def __len__(self) -> int:
        return len(self.seeds)

    def fingerprint(self) -> str:
        return digest(map(str, self.seeds))

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        rng = torch.Generator().manual_seed(self.seeds[number])
        # Coarse, so that a stored image looks like it.
        image = torch.rand(3, 4, 4, generator=rng).repeat_interleave(size // 4, 1)
        return image.repeat_interleave(size // 4, 2), self.label(number)

    def label(self, number: int) -> int:
        return number % len(self.classes) if self.classes else -1


def noise(seeds: Sequence[int], classes: tuple[str, ...] = ("even", "odd")) -> Dataset:
    return Dataset("noise", classes, Noise(seeds, classes))


def all_images(data: Dataset, size: int, count: int | None = None) -> Tensor:
    return torch.cat([images for images, _ in data.batches(size, count=count)])
