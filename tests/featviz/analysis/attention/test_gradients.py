"""Gradients through the two sides of a logit: they add up, and reach what the sides see."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import featviz
from featviz.analysis.attention.gradients import gradient_maps, gradients_to_store, side_gradients
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.featviz.models.attention_models import EVERY, attention_model
from tests.featviz.toys import toy_vit

LOGITS = ("blocks.1.attn.qk:0@q3.k1", "blocks.1.attn.qk:1@same", "blocks.0.attn.qk:0@shift.1.-1")


def pictures(model: VisionModel, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


def saved(folder: Path, count: int = 2) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.mark.parametrize("kind", EVERY)
def test_the_gradients_of_the_two_sides_add_up_to_the_whole(kind: str) -> None:
    model = attention_model(kind)
    units = featviz.units(model, *LOGITS)
    images = pictures(model)
    values, query, key = side_gradients(model, units, images)
    images.requires_grad_()
    whole = featviz.readout(model, units)(images)
    torch.testing.assert_close(values, whole.T, rtol=1e-5, atol=1e-5)
    for number in range(len(units)):
        (right,) = torch.autograd.grad(whole[:, number].sum(), images, retain_graph=True)
        error = (query[number] + key[number] - right).abs().max() / right.abs().max()
        assert error <= 1e-5
        # The two are no halves of the same.
        assert (query[number] - key[number]).abs().max() > 0.1 * right.abs().max()


def test_before_any_mixing_each_side_sees_its_own_patch_only() -> None:
    model = toy_vit()
    units = featviz.units(model, "blocks.0.attn.qk:0@q2.k3")
    _, query, key = gradient_maps(model, units, pictures(model, 1))
    # Patches of 16 pixels on a grid of 2 x 2, behind a class token: 2 is upper right, 3 lower left.
    assert query[0, 0, :16, 16:].min() > 0
    assert key[0, 0, 16:, :16].min() > 0
    query[0, 0, :16, 16:] = 0
    key[0, 0, 16:, :16] = 0
    assert query.abs().max() == key.abs().max() == 0


def test_a_map_is_the_norm_of_finite_differences_over_the_colors() -> None:
    model = toy_vit()
    model.module.double()
    (unit,) = featviz.units(model, "blocks.1.attn.qk:1@q1.k4")
    image = pictures(model, 1).double()
    _, query, key = gradient_maps(model, [unit], image)
    readout = featviz.readout(model, [unit])
    for side, found in enumerate((query, key)):
        squares = 0.0
        for color in range(3):
            ends = []
            for step in (-1e-4, 1e-4):
                both = image.repeat(2, 1, 1, 1)
                both[side, color, 5, 9] += step
                ends.append(float(readout.read_sides(both).values))
            squares += ((ends[1] - ends[0]) / 2e-4) ** 2
        assert float(found[0, 0, 5, 9]) == pytest.approx(squares**0.5, rel=1e-5)


def test_each_image_and_unit_is_alone() -> None:
    model = toy_vit()
    units, images = featviz.units(model, *LOGITS[:2]), pictures(model, 3)
    together = gradient_maps(model, units, images)
    for number, unit in enumerate(units):
        for one in range(3):
            alone = gradient_maps(model, [unit], images[one : one + 1])
            for part, whole in zip(alone, together, strict=True):
                torch.testing.assert_close(part[0, 0], whole[number, one], rtol=1e-4, atol=1e-7)


def test_the_gradients_of_a_sum_are_those_of_its_terms() -> None:
    model = toy_vit()
    images = pictures(model, 1)
    texts = ("blocks.1.attn.qk:0@q3.k1", "blocks.0.attn.qk:1@same")
    parts = side_gradients(model, featviz.units(model, *texts), images)
    both = side_gradients(model, featviz.units(model, f"{texts[0]}+-2~{texts[1]}"), images)
    for part, whole in zip(parts, both, strict=True):
        torch.testing.assert_close(whole[0], part[0] - 2 * part[1], rtol=1e-4, atol=1e-6)


def test_the_gradients_of_all_modes_add_up_to_that_of_the_logit() -> None:
    model = toy_vit()
    images = pictures(model, 1)
    modes = side_gradients(model, featviz.units(model, "blocks.1.attn.qk_mode:0.all"), images)
    logit = side_gradients(model, featviz.units(model, "blocks.1.attn.qk:0@same"), images)
    for part, whole in zip(modes, logit, strict=True):
        torch.testing.assert_close(part.sum(0), whole[0], rtol=1e-4, atol=1e-6)


def test_gradients_leave_the_model_and_the_images_as_found() -> None:
    model = toy_vit()
    units, images = featviz.units(model, LOGITS[0]), pictures(model)
    model.module.train().requires_grad_(True)
    with torch.no_grad():
        gradient_maps(model, units, images)
    assert all(part.training for part in model.module.modules())
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert all(weight.grad is None for weight in model.module.parameters())
    assert not any(part._forward_pre_hooks for part in model.module.modules())
    assert not images.requires_grad


def test_what_is_no_logit_is_refused_before_the_store_is_made(tmp_path: Path) -> None:
    model = toy_vit()
    for text in ("blocks.0.mlp.fc1:0", "blocks.0.attn.qk:0@same+1~head:0"):
        with pytest.raises(FeatvizError, match="has no query and key"):
            gradients_to_store(model, featviz.units(model, text), saved(tmp_path), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_store_has_the_maps_of_its_images_and_resumes(tmp_path: Path) -> None:
    model, files = toy_vit(), saved(tmp_path)
    units = featviz.units(model, *LOGITS)
    first = gradients_to_store(model, units[:1], files, tmp_path / "s")
    second = gradients_to_store(model, units, files, tmp_path / "s")
    assert [(one.stored, one.done) for one in (first, second)] == [(1, 0), (2, 1)]
    store = Store(tmp_path / "s")
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    for unit in units:
        row = store.row(str(unit), "gradients")
        right = gradient_maps(model, [unit], images)
        for name, wanted in zip(("activation", "query", "key"), right, strict=True):
            np.testing.assert_allclose(row[name], wanted[0], rtol=1e-4, atol=1e-7)
        assert np.array_equal(row["images"], pixels)
    assert store.configuration["gradients"] == {
        "images": [
            {"name": file.name, "sha256": sha256(file.read_bytes()).hexdigest()} for file in files
        ]
    }
    assert store.verify() == []


def test_other_images_of_the_same_name_are_refused(tmp_path: Path) -> None:
    model, files = toy_vit(), saved(tmp_path)
    units = featviz.units(model, LOGITS[0])
    gradients_to_store(model, units, files, tmp_path / "s")
    files[1].write_bytes(files[0].read_bytes())
    with pytest.raises(FeatvizError, match="gradients"):
        gradients_to_store(model, units, files, tmp_path / "s")
