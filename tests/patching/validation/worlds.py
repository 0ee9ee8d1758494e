"""A planted network on its images, run up to its first MLP."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from benchmarks.planted import planted
from featviz.models.hooks import eval_mode
from patching.validation.baseline import Baseline
from patching.validation.control_test import draw
from patching.validation.layer_group import Group
from patching.validation.neurons import MLPNeuron
from patching.validation.split import Split, split
from patching.vit.residual_vit import residual_vit


@cache
def images() -> Split:
    model, dataset = planted(0)
    return split(model, dataset, dataset.numbers())


@cache
def group(token: int | None = None) -> Group:
    """Neurons 0 and 1 read the same and write in different directions; 2 is dead."""
    model, dataset = planted(0)
    model.module.double()
    base = Baseline(residual_vit(model), dataset, images())
    weights = draw(images().place[images().test], 300, np.random.default_rng(0))
    with eval_mode(model.module):
        return Group(base, [MLPNeuron("", 0, n, token) for n in range(3)], weights, 0, _none)


class Many:
    """300 classes in a row, of 25 to 60 images."""

    sizes = np.array([25, 60, 40, 45, 50, 60] * 50)
    classes = tuple(f"class {number}" for number in range(300))
    in_turn = False
    asked = 0

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def fingerprint(self) -> str:
        return "many"

    def label(self, number: int) -> int:
        self.asked += 1
        return int(np.searchsorted(self.sizes.cumsum(), number, side="right"))

    def read(self, number: int, size: int) -> tuple[torch.Tensor, int]:
        generator = torch.Generator().manual_seed(number)
        return torch.rand(3, size, size, generator=generator), self.label(number)


def _none(target: MLPNeuron) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], int]:
    raise LookupError(target.address)
