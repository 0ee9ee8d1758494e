"""Patch maps equal the activations that hooks of the model record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.activations import patch_maps as module
from featviz.activations.patch_maps import patch_maps
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from tests.featviz.models.attention_models import attention_model
from tests.featviz.toys import toy_vit
from tests.oracles.unfused import unfused_logits


def pictures(model: VisionModel, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


def recorded(model: VisionModel, path: str, images: Tensor) -> Tensor:
    seen: list[Tensor] = []
    hook = model.module.get_submodule(path).register_forward_hook(
        lambda _layer, _inputs, output: seen.append(output)
    )
    model.module(model.normalize(images))
    hook.remove()
    return seen[0]


def close(found: object, right: Tensor) -> None:
    assert isinstance(found, np.ndarray)
    torch.testing.assert_close(torch.from_numpy(found), right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("token", ["", "@max", "@2", "@cls"])
def test_the_map_of_a_neuron_is_its_value_at_every_patch(token: str) -> None:
    model = toy_vit()
    images = pictures(model, 3)
    before = recorded(model, "blocks.1.mlp.fc1", images)
    after = recorded(model, "blocks.1.mlp.act", images)
    stream = recorded(model, "blocks.2", images)
    sites = ("mlp.fc1:5", "mlp_act:5", "mlp.fc1:9")
    found = patch_maps(
        model, [f"blocks.1.{site}{token}" for site in sites] + ["blocks.2.resid_post:3"], images
    )
    for own, right in zip(
        found,
        (before[..., 5], after[..., 5], before[..., 9], stream[..., 3]),
        strict=True,
    ):
        close(own, right[:, 1:].reshape(3, 2, 2))


def test_the_map_of_a_direction_is_the_dot_product_with_it_at_every_patch(tmp_path: Path) -> None:
    model = toy_vit()
    images = pictures(model, 2)
    vector = np.random.default_rng(0).normal(size=64).astype(np.float32)
    np.save(tmp_path / "d.npy", vector)
    chosen = ["blocks.1.mlp.fc1:3", f"blocks.1.mlp.fc1:{tmp_path / 'd.npy'}"]
    channel, direction = patch_maps(model, chosen, images)
    outputs = recorded(model, "blocks.1.mlp.fc1", images)[:, 1:]
    close(channel, outputs[..., 3].reshape(2, 2, 2))
    close(direction, (outputs @ torch.from_numpy(vector)).reshape(2, 2, 2))


def test_the_map_of_a_filter_is_its_feature_map_even_if_that_is_no_square() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        convolutions = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.GELU(), nn.Conv2d(6, 4, (3, 5))
        )
    model = VisionModel("convolutions", convolutions, 12, (0.5,) * 3, (0.5,) * 3)
    images = pictures(model, 3)
    first, second = patch_maps(model, ["0:4", "2:1@max"], images)
    close(first, recorded(model, "0", images)[:, 4])
    right = recorded(model, "2", images)[:, 1]
    assert right.shape[1:] == (4, 2)
    close(second, right)


@pytest.mark.parametrize("kind", ["ViT", "DeiT distilled", "DINOv3"])
def test_the_map_of_a_logit_is_by_patch_with_itself_by_query_or_by_key(kind: str) -> None:
    model = attention_model(kind)
    site = model.sites["blocks.1.attn.qk"]
    assert site.grid is not None
    rows, columns = site.grid
    images = pictures(model, 2)
    logits = unfused_logits(model.module, model.normalize(images), "blocks.1.attn")[:, 1]
    tokens = ("same", "max", "shift.1.-2", f"q{site.prefix + 3}.k0", "q0.k2")
    same, largest, shift, patch, prefix = patch_maps(
        model, [f"blocks.1.attn.qk:1@{token}" for token in tokens], images
    )
    patches = logits[:, site.prefix :, site.prefix :]
    close(same, patches.diagonal(dim1=1, dim2=2).reshape(2, rows, columns))
    close(largest, patches.diagonal(dim1=1, dim2=2).reshape(2, rows, columns))
    close(patch, patches[:, 3].reshape(2, rows, columns))
    close(prefix, logits[:, 0, site.prefix :].reshape(2, rows, columns))
    assert shift is not None
    for row in range(rows):
        for column in range(columns):
            own = torch.from_numpy(shift[:, row, column])
            if row + 1 < rows and column >= 2:
                key = (row + 1) * columns + column - 2
                torch.testing.assert_close(own, patches[:, row * columns + column, key])
            else:
                assert own.isnan().all()


@pytest.mark.parametrize("parts", [1, 2**23])
def test_means_and_maxima_of_maps_are_the_values_of_the_units(
    parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", parts)
    model = toy_vit()
    images = pictures(model, 5)
    chosen = featviz.units(
        model,
        "patch_embed:0-3",
        "blocks.2.mlp.fc1:0-9",
        "blocks.1.attn.q:4",
        "blocks.1.attn.qk:all@same",
        "blocks.3.attn.qk:all@shift.0.1",
        "blocks.2.attn.qk_mode:1.0-2",
    )
    values = featviz.readout(model, chosen)(images).numpy()
    for column, own in enumerate(patch_maps(model, chosen, images)):
        assert own is not None
        np.testing.assert_allclose(np.nanmean(own, (1, 2)), values[:, column], rtol=1e-4, atol=1e-5)
    chosen = featviz.units(model, "blocks.2.mlp_act:0-9@max", "blocks.1.attn.qk:all@max")
    values = featviz.readout(model, chosen)(images).numpy()
    for column, own in enumerate(patch_maps(model, chosen, images)):
        assert own is not None
        np.testing.assert_allclose(own.max((1, 2)), values[:, column], rtol=1e-5, atol=1e-6)


def test_units_with_one_value_per_image_and_sums_have_no_map() -> None:
    model = toy_vit()
    chosen = ["head:0", "blocks.1.mlp.fc1:3+blocks.1.mlp.fc1:4"]
    assert patch_maps(model, chosen, pictures(model, 2)) == [None, None]
    assert patch_maps(model, [], pictures(model, 2)) == []


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(FeatvizError, match="32"):
        patch_maps(toy_vit(), "blocks.1.mlp.fc1:3", torch.zeros(1, 3, 16, 16))


def test_reading_maps_changes_neither_the_model_nor_the_random_state() -> None:
    model = toy_vit()
    model.module.train()
    model.module.requires_grad_(True)
    state = torch.get_rng_state()
    patch_maps(model, ["blocks.1.mlp.fc1:0", "blocks.1.attn.qk:0@same"], pictures(model, 2))
    assert model.module.training
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert not any(part._forward_pre_hooks for part in model.module.modules())
    assert torch.equal(torch.get_rng_state(), state)
