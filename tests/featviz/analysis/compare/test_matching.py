from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import featviz
from featviz.analysis.compare.matching import correlations, counterpart, matches
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit

DATA = open_data("cueworld:18")


def permuted(model: VisionModel, block: int) -> tuple[VisionModel, list[int]]:
    """The same function, with the hidden units of one block in another order.

    Unit i is at place[i] there.
    """
    other = copy.deepcopy(model.module)
    first = other.get_submodule(f"blocks.{block}.mlp.fc1")
    second = other.get_submodule(f"blocks.{block}.mlp.fc2")
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        first.weight.copy_(first.weight[order])
        first.bias.copy_(first.bias[order])
        second.weight.copy_(second.weight[:, order])
    half = (0.5, 0.5, 0.5)
    return VisionModel("permuted", other, 32, half, half), order.argsort().tolist()


def test_hidden_units_in_another_order_are_found_again_by_their_values() -> None:
    model = toy_vit()
    other, places = permuted(model, 2)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(other.module(images), model.module(images))  # the same function
    found = matches(model, other, featviz.units(model, "blocks.2.mlp.fc1:all"), DATA)
    assert places != list(range(64))
    assert [str(match.match) for match in found] == [f"blocks.2.mlp.fc1:{i}" for i in places]
    assert min(match.correlation for match in found) > 1 - 1e-6


def test_units_come_back_in_the_order_given_each_once() -> None:
    model = toy_vit()
    asked = ["head:1", "blocks.3.mlp.fc1:5@2", "patch_embed:7", "blocks.3.mlp.fc1:1"]
    chosen = featviz.units(model, *asked)
    found = matches(model, model, [*chosen, chosen[0]], DATA)
    assert [str(match.unit) for match in found] == asked
    assert str(found[0].match) == "head:1"
    assert str(found[2].match) == "patch_embed:7"


def test_a_unit_at_a_token_is_read_there_and_its_match_over_all_patches() -> None:
    model = toy_vit()
    (unit,) = featviz.units(model, "blocks.1.mlp.fc1:3@cls")
    (match,) = matches(model, model, [unit], DATA)
    assert match.match.token is None
    with torch.no_grad():
        images = torch.cat([images for images, _ in DATA.batches(32)])
        values = featviz.readout(model, [unit, match.match])(images)
        every = featviz.readout(model, featviz.units(model, "blocks.1.mlp.fc1:all"))(images)
    expected = np.corrcoef(values.T.numpy())[0, 1]
    assert match.correlation == pytest.approx(expected, abs=1e-5)
    rivals = [np.corrcoef(values[:, 0], column)[0, 1] for column in every.T.numpy()]
    assert match.correlation == pytest.approx(max(rivals), abs=1e-5)


def test_correlations_are_those_of_numpy_and_blind_to_scale_and_shift() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(40, 3, generator=generator)
    b = torch.randn(40, 2, generator=generator) + a[:, :2]
    expected = np.corrcoef(a.T, b.T)[:3, 3:]
    assert np.allclose(correlations(a, b), expected, atol=1e-6)
    assert np.allclose(correlations(5 * a - 3, 0.01 * b + 1), expected, atol=1e-5)


def test_a_constant_correlates_with_nothing_and_an_opposite_by_minus_1() -> None:
    values = torch.tensor([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]])
    expected = [[1, -1, 0], [0, 0, 0]]
    opposite = torch.cat([values[:, :1], -values[:, :1], values[:, 1:]], 1)
    assert correlations(values, opposite).tolist() == pytest.approx(np.array(expected))


def linear(name: str, **layers: nn.Module) -> VisionModel:
    half = (0.5, 0.5, 0.5)
    module = nn.Sequential()
    for path, layer in layers.items():
        module.add_module(path, layer)
    return VisionModel(name, module, 8, half, half)


def test_a_layer_is_compared_with_its_role_then_its_class_then_any_at_its_depth() -> None:
    vit = toy_vit()
    paths = {
        "blocks.2.mlp.fc1": "blocks.2.mlp.fc1",
        "blocks.0.attn.qkv": "blocks.0.attn.qkv",
        "head": "head",
    }
    for path, same in paths.items():
        assert counterpart(vit, vit, vit.sites[path]).path == same
    convolutions = linear(
        "convolutions",
        a=nn.Conv2d(3, 4, 1),
        b=nn.Conv2d(4, 4, 1),
        c=nn.Conv2d(4, 4, 1),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        out=nn.Linear(4, 2),
    )
    # Of 18 layers of the transformer the first is the patch embedding, a convolution.
    assert counterpart(vit, convolutions, vit.sites["patch_embed"]).path == "a"
    assert counterpart(vit, convolutions, vit.sites["blocks.1.mlp.fc1"]).path == "b"
    assert counterpart(vit, convolutions, vit.sites["blocks.3.mlp.fc2"]).path == "c"
    assert counterpart(vit, convolutions, vit.sites["head"]).path == "out"
    assert counterpart(convolutions, vit, convolutions.sites["c"]).path == "patch_embed"


def test_a_model_without_such_a_layer_is_refused() -> None:
    vit = toy_vit()
    only = linear("only", a=nn.Conv2d(3, 4, 1))
    with pytest.raises(FeatvizError, match="only has no layer to compare head with"):
        matches(vit, only, featviz.units(vit, "head:0"), DATA)


@pytest.mark.parametrize("address", ["blocks.1.attn.qk:0@same", "head:0+head:1"])
def test_units_of_no_single_layer_are_refused(address: str) -> None:
    model = toy_vit()
    with pytest.raises(FeatvizError, match="cannot be matched"):
        matches(model, model, featviz.units(model, address), DATA)


def test_two_images_match_everything_and_so_are_refused() -> None:
    model = toy_vit()
    with pytest.raises(FeatvizError, match="at least 3 images"):
        matches(model, model, featviz.units(model, "head:0"), DATA, count=2)
