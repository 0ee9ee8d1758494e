"""Devices of a test: the processor, and a GPU where there is one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

import featviz

needs_cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
"""Marks of a module or parameter that needs a GPU."""


def on_cuda(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a GPU."""
    for mark in needs_cuda:
        test = mark(test)
    return test


on_each_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
"""Runs a test on the processor too, so that what it does is known to be right without a GPU."""


def load(name: str, device: str = "cpu") -> featviz.VisionModel:
    """A model of cueworld, the transformer with the bundled sparse autoencoder."""
    saes = {"s": "cueworld/sae"} if name == "vit" else {}
    return featviz.load(f"cueworld/{name}", device=device, saes=saes)


def in_float64(model: featviz.VisionModel) -> featviz.VisionModel:
    """A copy that computes in float64: the reference of what float32 gives on any device."""
    copied = model.with_module(copy.deepcopy(model.module).double())
    saes = {name: copy.deepcopy(sae).double() for name, sae in model.saes.items()}
    return copied.with_saes(saes) if saes else copied


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    difference = found.detach().double().cpu() - expected.detach().double().cpu()
    return float(difference.abs().max() / expected.abs().max())


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Convolve in float32: by default a GPU does so in TF32, with three digits."""
    convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before
