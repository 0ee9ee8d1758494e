from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from featviz import VisionModel, cueworld, load
from featviz.activations.readout import readout
from featviz.addressing.selectors import units
from featviz.models.acceleration import fastest_precision, in_precision, patch_embed_as_matmul
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return load("cueworld/vit")


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Conv2d(3, 7, 16, stride=16), (64, 64)),
        (nn.Conv2d(3, 5, (4, 6), stride=(4, 6), bias=False), (21, 37)),  # with a remainder
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
    with patch_embed_as_matmul(layer):
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
    with patch_embed_as_matmul(layer):
        assert "forward" not in vars(layer)


def test_hooks_run_and_the_model_is_left_as_found_after_an_exception() -> None:
    model = cueworld.build("vit")
    projection = model.get_submodule("patch_embed.proj")
    seen: list[tuple[int, ...]] = []

    def interrupt(_layer: nn.Module, _inputs: tuple[Tensor, ...], maps: Tensor) -> None:
        seen.append(tuple(maps.shape))
        raise KeyError

    projection.register_forward_hook(interrupt)
    with pytest.raises(KeyError), patch_embed_as_matmul(model):
        model(torch.zeros(1, 3, 128, 128))
    assert seen == [(1, 128, 8, 8)]
    assert "forward" not in vars(projection)
    assert len(projection._forward_hooks) == 1


@pytest.mark.parametrize(
    ("amx", "avx", "expected"),
    [
        (True, True, "bfloat16"),
        (False, True, "bfloat16"),
        (True, False, "bfloat16"),
        (False, False, "float32"),
    ],
)
def test_processors_with_products_of_bfloat16_use_them(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    assert fastest_precision(CPU) == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((9, 0), "bfloat16")])
def test_graphics_cards_with_products_of_bfloat16_use_them(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert fastest_precision(torch.device("cuda")) == expected


def test_other_devices_compute_in_single_precision() -> None:
    assert fastest_precision(torch.device("meta")) == "float32"


def test_single_precision_is_the_model_itself(vit: VisionModel) -> None:
    assert in_precision(vit, "float32") is vit


def flags(model: VisionModel) -> list[bool]:
    parts = map(vars, model.module.modules())
    return [part["fused_attn"] for part in parts if "fused_attn" in part]


def test_a_copy_computes_in_half_precision_and_the_model_stays_as_it_was(vit: VisionModel) -> None:
    fused = flags(vit)
    half = in_precision(vit, "bfloat16")
    assert {weight.dtype for weight in half.module.parameters()} == {torch.bfloat16}
    assert not any(flags(half))
    assert {weight.dtype for weight in vit.module.parameters()} == {torch.float32}
    assert flags(vit) == fused
    assert len(fused) == 12


def test_attributes_that_a_user_has_set_are_kept_by_the_copy(vit: VisionModel) -> None:
    changed = copy.copy(vit)
    changed.prefix_tokens = 1
    assert in_precision(changed, "bfloat16").prefix_tokens == 1


@pytest.mark.parametrize("token", ["", "@cls", "@7"])
def test_values_in_half_precision_are_those_of_the_model_to_two_per_cent(
    vit: VisionModel, token: str
) -> None:
    chosen = units(vit, f"blocks.0,5,11.mlp.fc1:0-15{token}", "blocks.3.attn.qk:all@same")
    images = torch.rand(8, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = readout(vit, chosen)(images)
        rounded = readout(in_precision(vit, "bfloat16"), chosen)(images)
    assert (rounded - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_the_activation_is_computed_in_full_precision(vit: VisionModel) -> None:
    chosen = units(vit, "blocks.5.mlp.fc1:0-2")
    rendered = optimize(vit, chosen, make_recipe(vit, steps=3, precision="bfloat16"))
    images = rendered.images[:, 0].permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        own = readout(vit, chosen)(images).diagonal()
    torch.testing.assert_close(rendered.activation[:, 0], own, rtol=1e-5, atol=1e-5)


def test_images_of_half_precision_do_not_depend_on_their_batch(vit: VisionModel) -> None:
    chosen = units(vit, "blocks.5.mlp.fc1:0-4")
    recipe = make_recipe(vit, steps=8, precision="bfloat16")
    together, alone = optimize(vit, chosen, recipe), optimize(vit, chosen[3:4], recipe)
    difference = together.images[3].int() - alone.images[0].int()
    assert difference.abs().max() <= 1
