"""Defaults of torch that a caller has set change neither models nor pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch

import featviz
from featviz.rendering.render import Rendering
from tests.featviz.toys import toy_vit


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SETTINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "inference mode": torch.inference_mode,
}


def pictures(model: featviz.VisionModel, param: str) -> Rendering:
    units = ["blocks.1.mlp.fc1:3@cls", "blocks.2.attn.qk:0@same"]
    return featviz.render(
        model, units, param=param, steps=2, size=48, samples=2, precision="float32"
    )


@pytest.mark.parametrize("param", ["fourier", "pixel", "maco"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_pictures_are_the_same_bit_for_bit(setting: str, param: str) -> None:
    model = toy_vit()
    expected = pictures(model, param)
    assert not expected.failures
    with SETTINGS[setting]():
        found = pictures(model, param)
    assert not found.failures
    assert (found.images == expected.images).all()
    assert (found.activation == expected.activation).all()
    assert found.trajectory.dtype == expected.trajectory.dtype
    assert (found.trajectory == expected.trajectory).all()


@pytest.mark.parametrize("name", ["cueworld/vit", "resnet10t"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_loaded_weights_are_the_same_and_can_be_differentiated(setting: str, name: str) -> None:
    def load() -> featviz.VisionModel:
        return featviz.load(name, untrained=name != "cueworld/vit", device="cpu")

    expected = load().fingerprint
    with SETTINGS[setting]():
        model = load()
    assert model.fingerprint == expected
    images = torch.rand(1, 3, model.image_size, model.image_size).requires_grad_()
    first = next(iter(model.sites))
    (gradient,) = torch.autograd.grad(featviz.readout(model, f"{first}:0")(images).sum(), images)
    assert gradient.any()
