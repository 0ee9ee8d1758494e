from __future__ import annotations

import copy

import pytest
import torch

from featviz import VisionModel, load
from featviz.activations.readout import readout
from featviz.addressing.selectors import units
from featviz.models.acceleration import fastest, in_precision
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return load("cueworld/vit")


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
    assert fastest(CPU) == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((9, 0), "bfloat16")])
def test_graphics_cards_with_products_of_bfloat16_use_them(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert fastest(torch.device("cuda")) == expected


def test_other_devices_compute_in_single_precision() -> None:
    assert fastest(torch.device("meta")) == "float32"


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


def test_what_a_user_has_told_of_a_model_holds_for_its_copy(vit: VisionModel) -> None:
    told = copy.copy(vit)
    told.prefix_tokens = 1
    assert in_precision(told, "bfloat16").prefix_tokens == 1


@pytest.mark.parametrize("place", ["", "@cls", "@7"])
def test_values_in_half_precision_are_those_of_the_model_to_two_per_cent(
    vit: VisionModel, place: str
) -> None:
    chosen = units(vit, f"blocks.0,5,11.mlp.fc1:0-15{place}", "blocks.3.attn.qk:all@same")
    images = torch.rand(8, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = readout(vit, chosen)(images)
        rounded = readout(in_precision(vit, "bfloat16"), chosen)(images)
    assert (rounded - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_the_activation_is_the_models_own_whatever_found_the_picture(vit: VisionModel) -> None:
    chosen = units(vit, "blocks.5.mlp.fc1:0-2")
    made = optimize(vit, chosen, make_recipe(vit, steps=3, precision="bfloat16"))
    pictures = made.images[:, 0].permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        own = readout(vit, chosen)(pictures).diagonal()
    torch.testing.assert_close(made.activation[:, 0], own, rtol=1e-5, atol=1e-5)


def test_pictures_of_half_precision_do_not_depend_on_their_batch(vit: VisionModel) -> None:
    chosen = units(vit, "blocks.5.mlp.fc1:0-4")
    made = make_recipe(vit, steps=8, precision="bfloat16")
    together, alone = optimize(vit, chosen, made), optimize(vit, chosen[3:4], made)
    difference = together.images[3].int() - alone.images[0].int()
    assert difference.abs().max() <= 1
