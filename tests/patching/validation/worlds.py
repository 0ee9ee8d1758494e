"""A planted network on its images, run up to its first MLP; and a dataset of many classes."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.planted import planted
from featviz.models.hooks import eval_mode
from patching.effects.bootstrap import stratified_counts
from patching.validation.layer_group import LayerGroup, RenderedUnit
from patching.validation.split import Split, split
from patching.validation.suffix_forward import Baseline
from patching.vit.residual_vit import residual_vit
from patching.vit.stream_units import MLPNeurons


@cache
def images() -> Split:
    model, dataset = planted(0)
    return split(model, dataset, dataset.indices())


@cache
def group(token: int | None = None) -> LayerGroup:
    """Neurons 0 and 1 read the same and write in different directions; 2 is dead."""
    model, dataset = planted(0)
    model.module.double()
    baseline = Baseline(residual_vit(model), dataset, images())
    labels = images().labels[images().test]
    resamples = stratified_counts(labels, 300, np.random.default_rng(0))
    layer = MLPNeurons(baseline.vit, 0)
    neurons = [RenderedUnit("", layer, index, token) for index in range(3)]
    with eval_mode(model.module):
        return LayerGroup(baseline, neurons, resamples, 0, _no_renders)


class ManyClasses:
    """300 classes, one after the other, of 25 to 60 images."""

    sizes = np.array([25, 60, 40, 45, 50, 60] * 50)
    classes = tuple(f"class {label}" for label in range(300))
    wordnet_ids: tuple[str, ...] = ()
    interleaved = False
    labels_read = 0

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def fingerprint(self) -> str:
        return "many"

    def label(self, index: int) -> int:
        self.labels_read += 1
        return int(np.searchsorted(self.sizes.cumsum(), index, side="right"))

    def read(self, index: int, size: int) -> tuple[torch.Tensor, int]:
        generator = torch.Generator().manual_seed(index)
        return torch.rand(3, size, size, generator=generator), self.label(index)


def _no_renders(neuron: RenderedUnit) -> tuple[NDArray[np.uint8], int]:
    raise LookupError(neuron.address)
