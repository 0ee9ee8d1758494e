"""Every architecture like for like: the same facts hold for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_size
from featviz.models.vision_model import VisionModel
from featviz.optimization.presets import preset_for
from featviz.optimization.recipe import make_recipe
from tests.featviz.models.architectures import FAST, SLOW, Architecture, Layer

BLOCK = 24
"""Pixels that are changed along each axis, at least one patch."""
AT = ((0, ""), (1, "@0"), (5, "@3"), (7, "@7"))
"""Coordinates and tokens of the residual stream."""
STREAMS = {
    "swin_tiny_patch4_window7_224": 12,
    "test_vit": 6,
    "test_vit3": 9,
    "vit_xsmall_patch16_clip_224": 10,
    "deit_tiny_distilled_patch16_224": 12,
    "eva02_tiny_patch14_224": 12,
    "vit_tiny_patch16_dinov3_qkvb": 12,
    "cait_xxs24_224": 24,
    "crossvit_9_240": 12,
    "pit_ti_distilled_224": 12,
    "pvt_v2_b0": 8,
    "hiera_tiny_224": 9,
    "nest_tiny": 12,
    "twins_svt_small": 18,
    "convit_tiny": 12,
    "levit_128s": 9,
    "vit_small_patch14_reg4_dinov2": 12,
    "deit3_small_patch16_224": 12,
    "beit_base_patch16_224": 12,
    "volo_d1_224": 18,
    "vit_base_patch32_siglip_256": 12,
    "naflexvit_base_patch16_gap": 12,
    "torchvision/vit_b_32": 12,
}
"""Number of blocks that add an attention, then an MLP, to their input; 0 in all others."""


@pytest.fixture(
    scope="module",
    params=[*FAST, *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)],
    ids=lambda each: each.name,
)
def known(request: pytest.FixtureRequest) -> Architecture:
    found: Architecture = request.param
    return found


@pytest.fixture(scope="module")
def model(known: Architecture) -> VisionModel:
    return featviz.load(known.name, untrained=True, device="cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_units_positions_grid_and_prefix_are_those_of_the_architecture(
    known: Architecture, model: VisionModel
) -> None:
    assert model.image_size == known.side
    assert model.has_class_token == known.has_class_token
    for layer in known.layers:
        site = model.sites[layer.path]
        found = (site.width, site.positions, site.grid, site.prefix)
        assert found == (layer.width, layer.positions, layer.grid, layer.prefix), layer.path
    for path, reason in known.refused:
        with pytest.raises(FeatvizError, match=f"{path} has no units: .*{reason}"):
            model.sites[path]


def test_the_family_and_the_distance_of_patches_choose_preset_and_shift(
    known: Architecture, model: VisionModel
) -> None:
    assert (preset_for(model), patch_size(model)) == (known.preset, known.patch)
    shift = make_recipe(model).augmentation.shift
    wanted = model.image_size * {"vit": 16 / 224, "cnn": 6 / 128}[known.preset]
    if known.patch == 1:
        assert shift == wanted
    else:
        assert shift % known.patch == 0
        assert abs(shift - wanted) <= known.patch / 2 or shift == known.patch


def test_units_read_what_a_hook_on_their_layer_sees(
    known: Architecture, model: VisionModel
) -> None:
    images = noise(model.image_size, 2)
    seen = outputs(model, known.layers, images)
    units, right = [], []
    for layer in known.layers:
        index = layer.width - 2 if layer.width > 1 else 0
        values = seen[layer.path][:, :, index]
        tokens: list[Any] = [None]
        if layer.positions:
            tokens += [0, layer.positions // 3, layer.positions - 1]
        tokens += ["cls"] if layer.prefix and known.has_class_token else []
        for token in tokens:
            units.append(Unit(layer.path, index, token))
            patches = values[:, layer.prefix :]
            at = 0 if token == "cls" else token
            right.append(patches.sum(1) / patches.shape[1] if token is None else values[:, at])
    with torch.no_grad():
        found = featviz.readout(model, units)(images)
    expected = torch.stack(right, 1)
    for column, unit in enumerate(units):
        scale = float(seen[unit.site].abs().max())
        apart = (found[:, column] - expected[:, column]).abs().max()
        assert apart <= 1e-5 * scale, unit


def test_every_block_of_attention_and_mlp_adds_both_to_its_input(
    known: Architecture, model: VisionModel
) -> None:
    found = [path.removesuffix(".resid_mid") for path in model.sites if path.endswith("resid_mid")]
    assert len(found) == STREAMS.get(known.name, 0)
    images = noise(model.image_size, 2)
    with torch.no_grad():
        for block in dict.fromkeys([*found[:1], *found[-1:]]):
            parts = {
                name: featviz.readout(model, [f"{block}.{name}:{i}{t}" for i, t in AT])(images)
                for name in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
            }
            for total, terms in (
                ("resid_mid", ("resid_pre", "attn_out")),
                ("resid_post", ("resid_mid", "mlp_out")),
            ):
                error = parts[terms[0]] + parts[terms[1]] - parts[total]
                assert error.abs().max() <= 1e-5 * parts[total].abs().max(), (block, total)


def test_patches_are_numbered_row_by_row_after_the_prefix(
    known: Architecture, model: VisionModel
) -> None:
    for layer in known.layers:
        if layer.moves is None:
            continue
        side = layer.grid[0] if layer.grid else round(layer.positions**0.5)
        span = max(1, BLOCK * side // known.side)
        row, column = side // 5, 3 * side // 5
        moved = movement(model, layer, row / side, column / side, span / side)
        block = {
            layer.prefix + (row + down) * side + column + right
            for down in range(span)
            for right in range(span)
        }
        top = int(moved.argmax())
        beside = {top + down * side + right for down in (-1, 0, 1) for right in (-1, 0, 1)}
        if layer.moves == "only":
            assert set(moved.nonzero().flatten().tolist()) == block, layer.path
        elif layer.moves == "most":
            assert top in block, layer.path
        elif layer.moves == "near":
            assert beside & block, layer.path
        else:
            assert top not in block, layer.path


def test_a_few_steps_raise_the_activation_above_its_start(
    known: Architecture, model: VisionModel
) -> None:
    layer = known.layers[0]
    units = featviz.units(model, f"{layer.path}:0-1")
    start = featviz.render(model, units, steps=1, batch=2)
    end = featviz.render(model, units, steps=6, batch=2)
    assert not start.failures
    assert end.images.shape == (2, 1, known.side, known.side, 3)
    assert end.images.dtype == np.uint8
    assert not end.failures
    assert (end.activation > start.activation).all()


class ReachedError(Exception):
    """Ends a forward pass."""


def noise(side: int, count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def outputs(model: VisionModel, layers: tuple[Layer, ...], images: Tensor) -> dict[str, Tensor]:
    """Run a module until all layers have put out something, shape (N, positions, units) each."""
    found: dict[str, Tensor] = {}

    def keep(path: str, layer: nn.Module, output: Tensor) -> None:
        assert path not in found
        if output.ndim == 2:
            output = output[:, None]
        elif not isinstance(layer, nn.Linear):
            output = output.movedim(1, -1)
        # A copy: nonlinearities may work in place.
        found[path] = output.reshape(len(output), -1, output.shape[-1]).clone()
        if len(found) == len(layers):
            raise ReachedError

    hooks = [
        model.module.get_submodule(model.sites[layer.path].owner).register_forward_hook(
            lambda part, _inputs, output, path=layer.path: keep(path, part, output)
        )
        for layer in layers
    ]
    mean, std = (torch.tensor(each)[:, None, None] for each in (model.mean, model.std))
    try:
        with torch.no_grad(), suppress(ReachedError):
            model.module((images - mean) / std)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def movement(model: VisionModel, layer: Layer, top: float, left: float, width: float) -> Tensor:
    """Change a square of an image, and return how far each position of a layer moves.

    Parameters
    ----------
    top, left, width : float
        In parts of the image's side.
    """
    side = model.image_size
    first, other = noise(side, 1), noise(side, 1, seed=1)
    rows = slice(round(top * side), round((top + width) * side))
    columns = slice(round(left * side), round((left + width) * side))
    changed = first.clone()
    changed[:, :, rows, columns] = other[:, :, rows, columns]
    before, after = outputs(model, (layer,), torch.cat([first, changed]))[layer.path]
    moved: Tensor = (after - before).norm(dim=1)
    return moved
