from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.std_conv import StdConv2d
from torch import Tensor, nn

import featviz
from featviz.analysis.filters.first_layer import FirstLayer, first_layer
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)
SIZE = 16


def wrap(*layers: nn.Module) -> VisionModel:
    """A model of these layers, whose three colors are normalized unlike each other."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(*layers)
        for weight in module.parameters():
            nn.init.normal_(weight)
    return VisionModel("mine", module, SIZE, MEAN, STD)


class Swap(nn.Module):
    """Blue first, as OpenCV has it, and from -1 to 1."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flip(1) * 2 - 1


def response(model: VisionModel, path: str, images: Tensor) -> Tensor:
    """Output of the layer at a path."""
    outputs: list[Tensor] = []
    layer = model.module.get_submodule(path)
    handle = layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
    with torch.no_grad():
        model.module(model.normalize(images))
    handle.remove()
    return outputs[0]


MODELS = {
    "plain": (wrap(nn.Conv2d(3, 4, 3)), "0", 0, 1),
    "patches": (wrap(nn.Conv2d(3, 4, 4, stride=4)), "0", 0, 4),
    "weights standardized": (wrap(StdConv2d(3, 4, 5, stride=2)), "0", 2, 2),
    "padded before": (wrap(nn.ZeroPad2d(2), nn.Conv2d(3, 4, 5)), "1", 2, 1),
    "padded in the layer": (wrap(Conv2dSame(3, 4, 3)), "0", 1, 1),
    "colors changed before": (wrap(Swap(), nn.Conv2d(3, 4, 3)), "1", 0, 1),
}


@pytest.mark.parametrize("name", MODELS)
def test_filters_on_rgb_predict_how_the_output_changes_with_the_pixels(name: str) -> None:
    model, path, padding, stride = MODELS[name]
    layer = first_layer(model)
    filters = torch.from_numpy(layer.on_rgb(layer.weights))
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    before, after = response(model, path, images)
    change = (images[1] - images[0])[None].double()
    expected = F.conv2d(change, filters, stride=stride, padding=padding)[0]
    torch.testing.assert_close((after - before).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "path", "shape"),
    [
        ("cueworld/vit", "patch_embed", (128, 3, 16, 16)),
        ("cueworld/mixer", "stem", (128, 3, 16, 16)),
        ("cueworld/resnet", "conv1", (64, 3, 7, 7)),
    ],
)
def test_a_bundled_model_has_its_own_weights_and_doubles_its_colors(
    name: str, path: str, shape: tuple[int, ...]
) -> None:
    model = featviz.load(name, device="cpu")
    layer = first_layer(model)
    owner = model.module.get_submodule(model.sites[path].owner)
    assert layer.path == path
    assert layer.weights.shape == shape
    np.testing.assert_array_equal(layer.weights, owner.state_dict()["weight"])
    np.testing.assert_allclose(layer.color_matrix, np.eye(3) / 0.5, atol=1e-5)
    assert layer.addresses[-1] == f"{path}:{shape[0] - 1}"


def test_the_color_matrix_includes_color_changes_inside_the_model() -> None:
    model = featviz.load("torchvision/googlenet", untrained=True, device="cpu")
    assert model.std == (0.229, 0.224, 0.225)
    layer = first_layer(model)
    np.testing.assert_allclose(layer.color_matrix, np.eye(3) / 0.5, atol=1e-4)
    assert (layer.path, layer.weights.shape) == ("conv1.conv", (64, 3, 7, 7))


def test_standardized_weights_have_no_mean() -> None:
    model, *_ = MODELS["weights standardized"]
    weights = first_layer(model).weights
    assert np.abs(weights.mean((1, 2, 3))).max() < 1e-6
    owner = model.module.get_submodule("0")
    assert abs(owner.state_dict()["weight"].mean((1, 2, 3))).max() > 0.01


def test_weights_are_a_copy() -> None:
    model = wrap(nn.Conv2d(3, 4, 3))
    first_layer(model).weights[:] = 0
    assert model.module.state_dict()["0.weight"].abs().min() > 0


def test_on_rgb_mixes_the_colors_that_the_layer_reads() -> None:
    gain = np.array([[0.0, 0, 2], [0, 3, 0], [5, 0, 1]])
    layer = FirstLayer("conv", np.array([[[[1]], [[10]], [[100]]]], np.float32), gain)
    assert layer.on_rgb(layer.weights).ravel().tolist() == [500, 30, 102]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((nn.Flatten(), nn.Linear(3 * SIZE**2, 4)), "1, is a Linear"),
        ((nn.PixelUnshuffle(2), nn.Conv2d(12, 4, 3)), "reads 12 channels in 1 groups"),
        ((nn.Conv2d(3, 6, 3, groups=3),), "reads 3 channels in 3 groups"),
        ((nn.AvgPool2d(3, 1, 1), nn.Conv2d(3, 4, 3)), "does not read the pixels"),
        ((nn.AvgPool2d(2), nn.Conv2d(3, 4, 3)), "does not read the pixels"),
        ((nn.ReLU(), nn.Conv2d(3, 4, 3)), "does not read the pixels"),
        ((nn.Identity(),), "no layer with units"),
    ],
)
def test_a_first_layer_that_is_not_a_convolution_on_rgb_is_refused(
    layers: tuple[nn.Module, ...], message: str
) -> None:
    with pytest.raises(FeatvizError, match=message) as caught:
        first_layer(wrap(*layers))
    assert "mine" in str(caught.value)


def test_a_filter_that_is_not_finite_is_refused_by_its_address() -> None:
    model = wrap(nn.Conv2d(3, 4, 3))
    model.module.get_parameter("0.weight").data[2, 1, 0, 0] = torch.nan
    with pytest.raises(FeatvizError, match="0:2 of mine has weights that are not finite"):
        first_layer(model)


def test_the_model_and_random_state_are_unchanged() -> None:
    model = toy_vit()
    model.module.train().requires_grad_(True)
    before = torch.get_rng_state()
    first_layer(model)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(part.training for part in model.module.modules())
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert not any(
        part._forward_pre_hooks or part._forward_hooks for part in model.module.modules()
    )
