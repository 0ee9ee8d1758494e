from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.std_conv import ScaledStdConv2d, StdConv2d
from torch import Tensor, nn

from featviz.activations.layer_readers import (
    ConvolutionReader,
    FullLayerReader,
    LinearReader,
    layer_reader,
)
from featviz.addressing.address import Unit
from featviz.models.sites import find_sites
from featviz.models.vision_model import VisionModel
from tests.oracles.naive_readout import naive_gradient, naive_readout

SIDE = 9
TOKENS = (None, 0, 3, None, 5, 3)


class Doubled(nn.Linear):
    """A linear layer of another class, with twice the values."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


class ChannelsLast(nn.Module):
    """(N, C, H, W) to (N, H, W, C)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1)


class Tokens(nn.Module):
    """(N, C, H, W) to (N, H * W, C)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(2).mT


class Pooled(nn.Module):
    """(N, C, H, W) to (N, C)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


LAYERS: dict[str, list[nn.Module]] = {
    "linear on tokens": [Tokens(), nn.Linear(3, 6)],
    "linear without bias": [Tokens(), nn.Linear(3, 6, bias=False)],
    "linear on channels-last maps": [ChannelsLast(), nn.Linear(3, 6)],
    "linear on vectors": [Pooled(), nn.Linear(3, 6)],
    "linear of another class": [Tokens(), Doubled(3, 6)],
    "convolution": [nn.Identity(), nn.Conv2d(3, 6, 3)],
    "convolution without bias": [nn.Identity(), nn.Conv2d(3, 6, 3, bias=False)],
    "strided": [nn.Identity(), nn.Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(1, 2))],
    "dilated": [nn.Identity(), nn.Conv2d(3, 6, 3, dilation=(2, 1))],
    "valid": [nn.Identity(), nn.Conv2d(3, 6, 3, padding="valid")],
    "same": [nn.Identity(), nn.Conv2d(3, 6, (5, 3), padding="same", dilation=(1, 2))],
    "same and reflected": [
        nn.Identity(),
        nn.Conv2d(3, 6, 4, padding="same", padding_mode="reflect"),
    ],
    "reflected": [nn.Identity(), nn.Conv2d(3, 6, 3, padding=(2, 1), padding_mode="reflect")],
    "replicated": [nn.Identity(), nn.Conv2d(3, 6, 3, padding=1, padding_mode="replicate")],
    "circular": [nn.Identity(), nn.Conv2d(3, 6, 3, 2, padding=(1, 2), padding_mode="circular")],
    "depthwise": [nn.Identity(), nn.Conv2d(3, 6, 3, padding=1, groups=3)],
    "grouped": [nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 3, groups=2, bias=False)],
    "grouped and circular": [
        nn.Conv2d(3, 4, 1),
        nn.Conv2d(4, 6, 3, padding=1, groups=2, padding_mode="circular"),
    ],
    "padding by the input's size": [nn.Identity(), Conv2dSame(3, 6, 3, stride=2)],
    "standardized weights": [nn.Identity(), StdConv2d(3, 6, 3)],
    "scaled standardized weights": [nn.Identity(), ScaledStdConv2d(3, 6, 3)],
    "over a sequence": [nn.Flatten(2), nn.Conv1d(3, 6, 3, stride=2, padding=1)],
}


def chain(name: str) -> nn.Sequential:
    torch.manual_seed(0)
    module = nn.Sequential(*LAYERS[name]).double()
    for weight in module.parameters():
        nn.init.normal_(weight)
    return module


def chosen(module: nn.Module) -> tuple[Any, list[Unit]]:
    """Six units at mixed positions, unit 4 twice and out of order."""
    site = find_sites(module, SIDE, 0)["1"]
    tokens = TOKENS if site.positions else (None,) * 6
    return site, [Unit("1", i, t) for i, t in zip((4, 0, 5, 2, 4, 1), tokens, strict=True)]


@pytest.mark.parametrize("name", LAYERS)
def test_values_equal_the_output_of_the_layer_for_every_unit_and_position(name: str) -> None:
    module = chain(name)
    site, units = chosen(module)
    images = torch.rand(6, 3, SIDE, SIDE, dtype=torch.float64)
    reader, inputs = layer_reader(module[1], site, units), module[0](images)
    expected = torch.stack([naive_readout(module, images, unit, "1") for unit in units], 1)
    torch.testing.assert_close(reader.read_all(inputs, {}), expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        reader.read_paired(inputs, {}), expected.diagonal(), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_equal_those_through_the_whole_layer(name: str) -> None:
    module = chain(name)
    site, units = chosen(module)
    images = torch.rand(6, 3, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    reader = layer_reader(module[1], site, units)
    expected = torch.stack([naive_gradient(module, images, unit, "1") for unit in units], 1)
    (whole,) = torch.autograd.grad(reader.read_all(module[0](images), {}).sum(), images)
    torch.testing.assert_close(whole, expected.sum(1), rtol=1e-10, atol=1e-12)
    (paired,) = torch.autograd.grad(reader.read_paired(module[0](images), {}).sum(), images)
    own = torch.stack([expected[i, i] for i in range(6)])
    torch.testing.assert_close(paired, own, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_features_are_the_input_as_positions_and_channels(name: str) -> None:
    module = chain(name)
    site, units = chosen(module)
    inputs = module[0](torch.randn(6, 3, SIDE, SIDE, dtype=torch.float64))
    features = layer_reader(module[1], site, units).features(inputs)
    channels = inputs.shape[-1] if isinstance(module[1], nn.Linear) else inputs.shape[1]
    assert features.shape == (6, inputs[0].numel() // channels, channels)
    last = inputs if isinstance(module[1], nn.Linear) else inputs.movedim(1, -1)
    assert torch.equal(features.flatten(), last.flatten())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("linear on tokens", LinearReader),
        ("linear of another class", FullLayerReader),
        ("grouped and circular", ConvolutionReader),
        ("padding by the input's size", FullLayerReader),
        ("standardized weights", FullLayerReader),
        ("over a sequence", FullLayerReader),
    ],
)
def test_only_layers_that_compute_something_else_are_run_in_full(name: str, kind: type) -> None:
    module = chain(name)
    assert type(layer_reader(module[1], *chosen(module))) is kind


def test_a_layer_whose_own_forward_was_replaced_is_run_in_full() -> None:
    module = chain("linear on tokens")
    plain = module[1].forward
    module[1].forward = lambda inputs: plain(inputs) + 1
    site, units = chosen(module)
    images = torch.rand(6, 3, SIDE, SIDE, dtype=torch.float64)
    values = layer_reader(module[1], site, units).read_all(module[0](images), {})
    expected = torch.stack([naive_readout(module, images, unit, "1") for unit in units], 1)
    torch.testing.assert_close(values, expected, rtol=1e-10, atol=1e-12)


def test_a_mean_over_patches_excludes_the_prefix_tokens() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 10.0)
    model = VisionModel("sequence", nn.Sequential(nn.Flatten(2), layer), 1, (0,) * 3, (1,) * 3)
    # Two prefix tokens before four patches.
    tokens = torch.tensor([100.0, 200.0, 1.0, 2.0, 3.0, 6.0])[None, :, None]
    site = type(model.sites["1"])("1", "1", 1, 6, (2, 2), 2)
    units = [Unit("1", 0), Unit("1", 0, "cls"), Unit("1", 0, 1), Unit("1", 0, 5)]
    assert layer_reader(layer, site, units).read_all(tokens, {}).tolist() == [
        [30.0, 1000.0, 2000.0, 60.0]
    ]


def test_a_convolution_by_hand_at_two_positions_and_on_average() -> None:
    layer = nn.Conv2d(1, 2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[0.0, 1.0], [2.0, 0.0]]]]))
        layer.bias.copy_(torch.tensor([0.5, -1.0]))  # type: ignore[union-attr]
    # Filter 0 copies the pixel; filter 1 adds its right neighbor and twice the one below.
    image = torch.arange(9.0).view(1, 1, 3, 3)
    site = find_sites(nn.Sequential(nn.Conv2d(3, 1, 1), layer), 3, 0)["1"]
    units = [Unit("1", 0, 3), Unit("1", 1, 0), Unit("1", 1)]
    # Filter 1 at the four positions: 1+6, 2+8, 4+12, 5+14, each minus 1; their mean is 12.
    assert layer_reader(layer, site, units).read_all(image, {}).tolist() == [[4.5, 6.0, 12.0]]
