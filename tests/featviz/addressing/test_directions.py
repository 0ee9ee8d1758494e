"""Directions from files, and the cosine of a unit's direction in the objective."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import featviz
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from tests.featviz.toys import toy_vit

FC1 = "blocks.1.mlp.fc1"


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return toy_vit()


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def outputs(model: VisionModel, images: Tensor, path: str) -> Tensor:
    found: list[Tensor] = []
    hook = model.module.get_submodule(path).register_forward_hook(lambda *a: found.append(a[2]))
    with torch.no_grad():
        model.module(model.normalize(images))
    hook.remove()
    return found[0]


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """A matrix of two directions in ``probe.npy``, and its first row in ``single.npy``."""
    monkeypatch.chdir(tmp_path)
    matrix = torch.randn(2, 64, generator=torch.Generator().manual_seed(6))
    np.save("probe.npy", matrix.numpy())
    np.save("single.npy", matrix[0].double().numpy())
    return matrix


def test_a_direction_is_its_dot_product_with_the_output_of_the_layer(
    model: VisionModel, probe: Tensor
) -> None:
    images = pictures()
    values = outputs(model, images, FC1) @ probe.T
    selectors = (f"{FC1}:probe.npy.all", f"{FC1}:single.npy@2", f"{FC1}:probe.npy.1@cls")
    read = featviz.readout(model, units(model, *selectors))(images)
    right = torch.cat([values[:, 1:].mean(1), values[:, 2, :1], values[:, 0, 1:]], 1)
    torch.testing.assert_close(read, right, rtol=1e-5, atol=1e-5)


def test_a_direction_of_a_grouped_convolution_can_be_read(probe: Tensor, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 64, 3, groups=4))
    grouped = VisionModel("grouped", module.eval(), 8, (0.5,) * 3, (0.5,) * 3)
    images = torch.rand(2, 3, 8, 8)
    right = torch.einsum("nchw,uc->nu", module(grouped.normalize(images)), probe) / 16
    read = featviz.readout(grouped, units(grouped, "1:probe.npy"))(images)
    torch.testing.assert_close(read, right, rtol=1e-4, atol=1e-5)


def test_the_address_of_a_direction_carries_its_content(model: VisionModel, probe: Tensor) -> None:
    (unit,) = units(model, f"{FC1}:single.npy")
    address = str(unit)
    assert units(model, address) == [unit] == [Unit.parse(address)]
    np.save("layer.1.probe.npy", probe.numpy())
    (dotted,) = units(model, f"{FC1}:layer.1.probe.npy.1")
    assert units(model, str(dotted)) == [dotted]
    np.save("single.npy", -probe[0].numpy())
    (other,) = units(model, f"{FC1}:single.npy")
    assert str(other) != address
    with pytest.raises(FeatvizError, match=r"single\.npy has changed"):
        units(model, address)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.zeros(64), "zero or not finite"),
        (np.full(64, np.inf), "zero or not finite"),
        (np.full(64, 1e300), "zero or not finite"),
        (np.ones(63), "has directions of length 63; blocks.1.mlp.fc1 needs length 64"),
        (np.ones((1, 1, 64)), "must hold a vector or matrix"),
        (np.array(["a"] * 64), "must hold a vector or matrix"),
        (np.array([{}], dtype=object), "not a .npy file of numbers"),
    ],
)
def test_a_file_that_holds_no_directions_is_refused(
    model: VisionModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: np.ndarray,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("bad.npy", content)
    with pytest.raises(FeatvizError, match=said):
        units(model, f"{FC1}:bad.npy")


HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999,), }".ljust(117)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\3\4 no archive", b"\x93NUMPY\1\0v\0" + HUGE + b"\n", b"\x93NUMPY\1\0\3\0{[\n"],
    ids=["empty", "archive", "huge", "header"],
)
def test_a_damaged_file_is_refused(model: VisionModel, probe: Tensor, content: bytes) -> None:
    Path("bad.npy").write_bytes(content)
    with pytest.raises(FeatvizError, match=r"bad\.npy is not a \.npy file of numbers"):
        units(model, f"{FC1}:bad.npy")


@pytest.mark.parametrize("name", ["my probe.npy", "probe(1).npy"])
def test_a_file_name_with_other_characters_is_refused_with_the_reason(
    model: VisionModel, probe: Tensor, name: str
) -> None:
    np.save(name, probe[0].numpy())
    with pytest.raises(FeatvizError, match=r"may have letters, digits, '_', '-', '.' and '/' only"):
        units(model, f"{FC1}:{name}")


def test_a_file_name_that_is_too_long_is_refused(model: VisionModel) -> None:
    with pytest.raises(FeatvizError, match=r"is not a \.npy file of numbers"):
        units(model, f"{FC1}:{'a' * 300}-12345678.npy")


def test_a_missing_file_and_rows_of_a_vector_are_refused(model: VisionModel, probe: Tensor) -> None:
    with pytest.raises(FeatvizError, match=r"there is no file none\.npy"):
        units(model, f"{FC1}:none.npy")
    with pytest.raises(FeatvizError, match="a single direction without rows"):
        units(model, f"{FC1}:single.npy.0")
    with pytest.raises(FeatvizError, match=r"probe\.npy has directions 0-1, not 2"):
        units(model, f"{FC1}:probe.npy.2")
    with pytest.raises(FeatvizError, match="has logits; only layers and activations"):
        units(model, "blocks.1.attn.qk:probe.npy@same")


def test_the_objective_is_the_value_times_a_power_of_the_cosine(
    model: VisionModel, probe: Tensor
) -> None:
    images = pictures(4)
    chosen = units(model, f"{FC1}:3", f"{FC1}:probe.npy.0@2", "blocks.1.attn.qk:0@q2.k3", "head:1")
    reading = featviz.readout(model, chosen).read_pairs(images, cosine_power=2)
    hidden, logits = outputs(model, images, FC1), outputs(model, images, "head")
    parts = outputs(model, images, "blocks.1.attn.qkv").reshape(4, -1, 3, 2, 8)
    neuron = torch.eye(64)[3]
    cosines = [
        F.cosine_similarity(hidden[0, 1:], neuron[None], -1).mean(),
        F.cosine_similarity(hidden[1, 2], probe[0], 0),
        F.cosine_similarity(parts[2, 2, 0, 0], parts[2, 3, 1, 0], 0),
        logits[3, 1] / logits[3].norm(),
    ]
    weights = torch.stack(cosines).clamp_min(0.01).square()
    torch.testing.assert_close(reading.objective, reading.values * weights, rtol=1e-4, atol=1e-6)


def test_weighing_by_the_cosine_aligns_the_output_with_the_unit() -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    chosen = units(model, "blocks.4.mlp.fc1:0-9")
    cosines = []
    for power in (0.0, 1.0):
        made = make_recipe(model, steps=64, cosine_power=power)
        images = optimize(model, chosen, made).images[:, 0].permute(0, 3, 1, 2) / 255
        hidden = outputs(model, images, "blocks.4.mlp.fc1")[:, 1:]
        directions = torch.eye(512)[:10, None]
        cosines.append(F.cosine_similarity(hidden, directions, -1).mean(1))
    assert cosines[1].mean() > cosines[0].mean()
    assert (cosines[1] > cosines[0]).sum() > 5
