from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch
from torch import nn

import featviz
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel

MEAN, STD = (0.5, 0.25, 0.125), (0.25, 0.5, 2.0)


def wrap(module: nn.Module) -> VisionModel:
    return VisionModel("mine", module, 8, MEAN, STD)


class Tokens(nn.Module):
    """A module that holds learned tokens under the given names, as many as given."""

    def __init__(self, **counts: int) -> None:
        super().__init__()
        for name, count in counts.items():
            setattr(self, name, nn.Parameter(torch.zeros(1, count, 4)))


class Number(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("number", torch.tensor(0.5, dtype=dtype))


def test_an_image_is_normalized_channel_by_channel() -> None:
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = torch.stack([(images[:, c] - MEAN[c]) / STD[c] for c in range(3)], dim=1)
    torch.testing.assert_close(wrap(nn.Identity()).normalize(images), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_normalizing_keeps_the_precision_of_the_images(dtype: torch.dtype) -> None:
    assert wrap(nn.Identity()).normalize(torch.zeros(1, 3, 2, 2, dtype=dtype)).dtype == dtype


def test_normalizing_can_be_differentiated_after_a_first_use_in_inference_mode() -> None:
    model = wrap(nn.Identity())
    images = torch.rand(1, 3, 2, 2)
    with torch.inference_mode():
        model.normalize(images)
    images.requires_grad_()
    (slope,) = torch.autograd.grad(model.normalize(images).sum(), images)
    assert slope[0, :, 0, 0].tolist() == [4.0, 2.0, 0.5]


class Echo(nn.Module):
    """Returns its input, and has parameters of a given precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=dtype))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_call_passes_normalized_images_in_the_precision_of_the_weights(
    dtype: torch.dtype,
) -> None:
    model, images = wrap(Echo(dtype)), torch.rand(2, 3, 8, 8)
    output = model(images)
    assert output.dtype == dtype
    assert torch.equal(output, model.normalize(images).to(dtype))


def test_a_call_follows_the_first_weight_that_is_a_float() -> None:
    module = Echo(torch.float64)
    whole = nn.Parameter(torch.zeros(1, dtype=torch.int64), requires_grad=False)
    module._parameters = {"whole": whole, **module._parameters}
    assert next(module.parameters()) is whole
    assert wrap(module)(torch.rand(1, 3, 8, 8)).dtype == torch.float64


def test_another_mean_or_standard_deviation_counts_from_the_next_call_on() -> None:
    model, images = wrap(nn.Identity()), torch.full((1, 3, 1, 1), 0.5)
    assert model(images).flatten().tolist() == [0.0, 0.5, 0.1875]
    model.mean = (0.0, 0.0, 0.0)
    assert model(images).flatten().tolist() == [2.0, 1.0, 0.25]
    model.std = (1.0, 1.0, 0.5)
    assert model(images).flatten().tolist() == [0.5, 0.5, 1.0]


def test_a_replaced_submodule_has_sites_of_its_own() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten(), nn.Linear(16, 5))
    model = wrap(module)
    assert model.sites["2"].width == 5
    assert model.sites is model.sites
    module[2] = nn.Linear(16, 9)
    assert [str(unit) for unit in featviz.units(model, "2:8")] == ["2:8"]
    assert model.sites["2"].width == 9
    model.image_size = 16
    module[2] = nn.Linear(64, 9)
    assert model.sites["0"].grid == (4, 4)


def test_a_model_of_gray_images_is_refused_in_one_line() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 4), nn.ReLU())
    message = "^mine takes images of 1 channel; featviz needs RGB, 3 channels$"
    for use in (lambda: wrap(module).sites, lambda: wrap(module).check_input()):
        with pytest.raises(FeatvizError, match=message):
            use()
    with pytest.raises(FeatvizError, match=message.replace("mine", "Sequential")):
        featviz.wrap(module, 8, MEAN, STD)


def test_a_fingerprint_is_the_hash_of_class_names_types_shapes_and_bytes() -> None:
    layer = nn.Linear(2, 1)
    digest = hashlib.sha256(b"Linear")
    digest.update(b"\nbias torch.float32 (1,)\n" + layer.bias.detach().numpy().tobytes())
    digest.update(b"\nweight torch.float32 (1, 2)\n" + layer.weight.detach().numpy().tobytes())
    assert wrap(layer).fingerprint == digest.hexdigest()


def test_equal_weights_have_equal_fingerprints_whatever_their_memory_layout() -> None:
    plain, other = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    other.load_state_dict(plain.state_dict())
    other = other.to(memory_format=torch.channels_last)
    assert other.weight.stride() != plain.weight.stride()
    assert wrap(other).fingerprint == wrap(plain).fingerprint


def test_the_last_bit_of_one_weight_changes_the_fingerprint() -> None:
    layer = nn.Linear(3, 3)
    before = wrap(layer).fingerprint
    with torch.no_grad():
        layer.weight[1, 2] = torch.nextafter(layer.weight[1, 2], torch.tensor(9.0))
    assert wrap(layer).fingerprint != before


class Extra(nn.Linear):
    """Has something other than a tensor in its state dict."""

    def __init__(self, extra: object) -> None:
        super().__init__(2, 2)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        self.extra = extra

    def get_extra_state(self) -> object:
        return self.extra

    def set_extra_state(self, state: object) -> None:
        self.extra = state


def test_other_entries_of_a_state_dict_count_if_they_have_a_reproducible_text() -> None:
    one, same, other = (wrap(Extra({"scale": scale})).fingerprint for scale in (1, 1, 2))
    assert one == same
    assert one != other
    assert wrap(Extra(object())).fingerprint == wrap(Extra(object())).fingerprint


def test_a_fingerprint_depends_on_the_dtype_and_accepts_a_scalar() -> None:
    prints = {
        wrap(Number(dtype)).fingerprint
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    }
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("tokens", "prefix", "first_is_class"),
    [
        ({}, 0, False),
        ({"cls_token": 1}, 1, True),
        ({"class_token": 1}, 1, True),
        ({"cls_token": 1, "dist_token": 1}, 2, True),
        ({"cls_token": 1, "register_tokens": 4}, 5, True),
        ({"reg_token": 3}, 3, False),
        ({"cls_token": 1, "distillation_token": 1}, 2, True),
        ({"mask_token": 1}, 0, False),
        ({"cls_token_0": 1, "cls_token_1": 1}, 1, True),
        ({"cls_token1": 1, "cls_token2": 1, "cls_token3": 1}, 1, True),
        ({"cls_tokens": 1}, 0, False),
    ],
)
def test_prefix_tokens_are_counted_in_the_module(
    tokens: dict[str, int], prefix: int, first_is_class: bool
) -> None:
    model = wrap(Tokens(**tokens))
    assert (model.prefix_tokens, model.has_class_token) == (prefix, first_is_class)


def test_the_class_embedding_of_clip_is_a_class_token() -> None:
    module = nn.Module()
    module.class_embedding = nn.Parameter(torch.zeros(4))
    for tower in (module, nn.ModuleDict({"vision_model": nn.ModuleDict({"embeddings": module})})):
        model = wrap(tower)
        assert (model.prefix_tokens, model.has_class_token) == (1, True)


def test_means_over_patches_leave_out_the_class_embedding_of_clip() -> None:
    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.class_embedding = nn.Parameter(torch.full((4,), 100.0))
            self.conv1 = nn.Conv2d(3, 4, 2, 2)
            self.ln = nn.Linear(4, 4)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            patches = self.conv1(images).flatten(2).mT
            first = self.class_embedding.expand(len(images), 1, 4)
            output: torch.Tensor = self.ln(torch.cat([first, patches], 1))
            return output

    model = wrap(Tower())
    assert (model.sites["ln"].grid, model.sites["ln"].prefix) == ((4, 4), 1)
    images = torch.rand(2, 3, 8, 8)
    expected = model(images)[:, 1:, 2].mean(1)
    values = featviz.readout(model, "ln:2")(images)
    torch.testing.assert_close(values.flatten(), expected.detach())


def test_a_wrapper_has_the_prefix_tokens_of_the_module_inside() -> None:
    inside = Tokens(cls_token=1, register_tokens=4)
    for module in (
        nn.Sequential(nn.Identity(), inside),
        nn.DataParallel(inside),
        nn.ModuleDict({"model": nn.Sequential(inside), "loss": nn.Linear(1, 1)}),
    ):
        model = wrap(module)
        assert (model.prefix_tokens, model.has_class_token) == (5, True)


def test_different_prefix_tokens_inside_a_wrapper_must_be_stated() -> None:
    model = wrap(nn.Sequential(Tokens(cls_token=1), Tokens(reg_token=4)))
    with pytest.raises(FeatvizError, match=r"different numbers .*Tokens has 1, Tokens has 4"):
        _ = model.prefix_tokens
    model.prefix_tokens = 4
    assert model.prefix_tokens == 4


def test_the_count_of_timm_goes_before_the_tokens_that_are_held() -> None:
    module: Any = Tokens(cls_token=1)
    module.num_prefix_tokens = 0
    assert wrap(module).prefix_tokens == 0


def test_prefix_tokens_of_an_unusual_module_can_be_set() -> None:
    model = wrap(nn.Identity())
    model.prefix_tokens = 3
    assert model.prefix_tokens == 3


def test_wrapping_a_module_of_your_own_leaves_it_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    model = wrap(module)
    assert model.fingerprint
    assert module.training
    assert module[1].training
    assert all(weight.requires_grad for weight in module.parameters())


def test_a_module_without_weights_is_on_the_cpu() -> None:
    assert wrap(nn.Identity()).device == torch.device("cpu")


def test_the_device_is_that_of_the_weights() -> None:
    assert wrap(nn.Linear(1, 1, device="meta")).device == torch.device("meta")


def test_a_model_prints_in_one_line_without_its_module() -> None:
    assert repr(wrap(nn.Linear(2, 2))) == (
        "VisionModel(name='mine', image_size=8, mean=(0.5, 0.25, 0.125), std=(0.25, 0.5, 2.0))"
    )
