from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from featviz import cueworld
from featviz.models.acceleration import as_products


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Conv2d(3, 7, 16, stride=16), (64, 64)),
        (nn.Conv2d(3, 5, (4, 6), stride=(4, 6), bias=False), (21, 37)),  # a rest is left over
        (nn.Conv2d(8, 4, 14, stride=14), (28, 42)),
    ],
)
def test_a_patch_embedding_and_its_gradient_are_those_of_the_convolution(
    layer: nn.Conv2d, size: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, layer.in_channels, *size, generator=generator).requires_grad_()

    def run() -> tuple[Tensor, Tensor]:
        maps = layer(images)
        weights = torch.linspace(-1, 1, maps.numel()).view_as(maps)
        (gradient,) = torch.autograd.grad((maps * weights).sum(), images)
        return maps, gradient

    expected, expected_gradient = run()
    with as_products(layer):
        maps, gradient = run()
    torch.testing.assert_close(maps, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 4, stride=2),
        nn.Conv2d(4, 4, 4, stride=4, padding=1),
        nn.Conv2d(4, 4, 4, stride=4, groups=2),
        nn.Conv2d(4, 4, 4, stride=4, dilation=2),
        nn.Conv2d(4, 4, 3, stride=3),
    ],
)
def test_other_convolutions_are_left_alone(layer: nn.Conv2d) -> None:
    with as_products(layer):
        assert "forward" not in vars(layer)


def test_hooks_run_and_the_model_is_left_as_found_after_an_exception() -> None:
    model = cueworld.build("vit")
    projection = model.get_submodule("patch_embed.proj")
    seen: list[tuple[int, ...]] = []

    def interrupt(_layer: nn.Module, _inputs: tuple[Tensor, ...], maps: Tensor) -> None:
        seen.append(tuple(maps.shape))
        raise KeyError

    projection.register_forward_hook(interrupt)
    with pytest.raises(KeyError), as_products(model):
        model(torch.zeros(1, 3, 128, 128))
    assert seen == [(1, 128, 8, 8)]
    assert "forward" not in vars(projection)
    assert len(projection._forward_hooks) == 1
