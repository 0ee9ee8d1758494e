from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.addressing.selectors import units
from featviz.analysis.examples.argmax_tokens import TokenLocator
from featviz.models.vision_model import VisionModel
from tests.featviz.models.attention_models import attention_model
from tests.featviz.toys import toy_vit
from tests.oracles.naive_readout import naive_readout
from tests.oracles.unfused import unfused_logits


def pictures(model: VisionModel, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


def locate(model: VisionModel, images: Tensor, *selectors: str) -> npt.NDArray[np.int32]:
    """Find the tokens of all units in all images, shape (images, units, 2)."""
    chosen = units(model, *selectors)
    wanted = np.array(list(product(range(len(images)), range(len(chosen)))))
    return TokenLocator(model, chosen)(images, wanted).reshape(len(images), len(chosen), 2)


def convolutions() -> VisionModel:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(6, 4, 3, padding=1, groups=2, bias=False),
        )
    return VisionModel("convolutions", module, 12, (0.5,) * 3, (0.5,) * 3)


def test_the_patch_of_a_neuron_is_where_its_value_at_a_token_is_highest() -> None:
    model = toy_vit()
    images = pictures(model, 5)
    found = locate(model, images, "blocks.1.mlp.fc1:0-9", "patch_embed:3")
    for column, unit in enumerate(units(model, "blocks.1.mlp.fc1:0-9", "patch_embed:3")):
        site = model.sites[unit.site]
        at_tokens = [
            naive_readout(model.module, model.normalize(images), at, site.owner)
            for at in units(model, f"{unit}@{site.prefix}-{site.positions - 1}")
        ]
        best = torch.stack(at_tokens, 1).argmax(1) + site.prefix
        assert found[:, column, 0].tolist() == best.tolist()
    assert (found[..., 1] == -1).all()
    assert len(np.unique(found[..., 0])) > 3


def test_the_position_of_a_channel_is_where_its_map_is_highest() -> None:
    model = convolutions()
    images = pictures(model, 4)
    found = locate(model, images, "0:all", "2:all")
    with torch.no_grad():
        first = model.module.get_submodule("0")(model.normalize(images))
        maps = torch.cat([first, model.module(model.normalize(images))], 1)
    right = maps.flatten(2).argmax(2)
    assert torch.equal(torch.from_numpy(found[..., 0]).long(), right)


def test_the_token_of_a_direction_is_where_its_value_is_highest(tmp_path: Path) -> None:
    model = toy_vit()
    vector = np.random.default_rng(0).normal(size=64).astype(np.float32)
    file = tmp_path / "d.npy"
    np.save(file, vector)
    images = pictures(model, 6)
    found = locate(model, images, f"blocks.2.mlp.fc1:{file}")
    seen: list[Tensor] = []
    model.module.get_submodule("blocks.2.mlp.fc1").register_forward_hook(
        lambda _layer, _inputs, output: seen.append(output)
    )
    model.module(model.normalize(images))
    right = (seen[0][:, 1:] @ torch.from_numpy(vector)).argmax(1) + 1
    assert found[:, 0, 0].tolist() == right.tolist()


def test_the_token_of_a_unit_at_a_token_is_that_token() -> None:
    model = toy_vit()
    found = locate(model, pictures(model, 2), "blocks.1.mlp.fc1:3@cls", "blocks.1.mlp.fc1:3@2")
    assert found.tolist() == [[[0, -1], [2, -1]]] * 2


def test_units_with_one_value_per_image_and_sums_have_no_token() -> None:
    model = toy_vit()
    found = locate(model, pictures(model, 2), "head:0", "blocks.1.mlp.fc1:3+blocks.1.mlp.fc1:4")
    assert (found == -1).all()


@pytest.mark.parametrize("kind", ["ViT", "DeiT distilled", "DINOv3"])
@pytest.mark.parametrize("shift", [None, (0, 1), (-1, 2)])
def test_the_pair_of_a_mean_of_logits_is_the_highest_of_those_that_it_averages(
    kind: str, shift: tuple[int, int] | None
) -> None:
    model = attention_model(kind)
    site = model.sites["blocks.1.attn.qk"]
    assert site.grid is not None
    images = pictures(model, 4)
    token = "same" if shift is None else f"shift.{shift[0]}.{shift[1]}"
    found = locate(model, images, f"blocks.1.attn.qk:all@{token}")
    logits = unfused_logits(model.module, model.normalize(images), "blocks.1.attn")
    down, right = shift or (0, 0)
    rows, columns = site.grid
    pairs = [
        (
            site.prefix + row * columns + column,
            site.prefix + (row + down) * columns + column + right,
        )
        for row, column in product(range(rows), range(columns))
        if 0 <= row + down < rows and 0 <= column + right < columns
    ]
    queries, keys = zip(*pairs, strict=True)
    best = logits[:, :, list(queries), list(keys)].argmax(-1)
    assert found.tolist() == [[list(pairs[number]) for number in row] for row in best.tolist()]


def test_the_pair_of_a_single_logit_is_its_own() -> None:
    model = toy_vit()
    found = locate(model, pictures(model, 2), "blocks.1.attn.qk:1@q3.kcls")
    assert found.tolist() == [[[3, 0]]] * 2


def test_the_pair_of_a_mode_is_where_its_part_of_the_logit_is_highest() -> None:
    model = toy_vit()
    images = pictures(model, 5)
    found = locate(model, images, "blocks.2.attn.qk_mode:1.0-2")
    for mode in range(3):
        at = units(model, *(f"blocks.2.attn.qk_mode:1.{mode}@q{i}.k{i}" for i in range(1, 5)))
        best = featviz.readout(model, at)(images).argmax(1) + 1
        assert found[:, mode].tolist() == [[token, token] for token in best.tolist()]


def test_some_units_in_some_images_are_located_in_the_given_order() -> None:
    model = toy_vit()
    images = pictures(model, 5)
    selectors = ("blocks.1.mlp.fc1:0-3", "blocks.1.attn.qk:all@same", "head:1")
    every, chosen = locate(model, images, *selectors), units(model, *selectors)
    wanted = np.array([(4, 5), (0, 2), (3, 0), (0, 6), (4, 1), (0, 2)])
    found = TokenLocator(model, chosen)(images, wanted)
    np.testing.assert_array_equal(found, every[wanted[:, 0], wanted[:, 1]])


def test_locating_tokens_changes_neither_the_model_nor_the_random_state() -> None:
    model = toy_vit()
    model.module.train()
    model.module.requires_grad_(True)
    state = torch.get_rng_state()
    locate(model, pictures(model, 2), "blocks.1.mlp.fc1:0", "blocks.1.attn.qk:all@same")
    assert model.module.training
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert not any(part._forward_pre_hooks for part in model.module.modules())
    assert torch.equal(torch.get_rng_state(), state)
