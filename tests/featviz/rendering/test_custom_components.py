"""User-defined objectives, parametrizations, augmentations and start images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

import featviz
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.parametrization.fourier import Fourier
from featviz.rendering.job import render_to_store
from tests.featviz.toys import toy_vit

FAST: dict[str, Any] = {"steps": 12, "preset": "naive", "precision": "float32"}


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return toy_vit()


@pytest.fixture(scope="module")
def units(model: VisionModel) -> list[featviz.Unit]:
    return featviz.units(model, "blocks.1.mlp.fc1:0-1")


def test_the_activation_as_a_custom_objective_gives_the_default_pictures(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    plain = featviz.render(model, units, **FAST)
    custom = featviz.render(model, units, objective=lambda _, activations: activations, **FAST)
    np.testing.assert_array_equal(custom.images, plain.images)
    np.testing.assert_array_equal(custom.activation, plain.activation)


def test_a_custom_objective_is_maximized(model: VisionModel, units: list[featviz.Unit]) -> None:
    def red(images: Tensor, activations: Tensor) -> Tensor:
        assert images.shape == (len(activations), 3, model.image_size, model.image_size)
        return images[:, 0].mean((1, 2)) - images[:, 1:].mean((1, 2, 3)) + 0 * activations

    settings = {**FAST, "steps": 60}
    images = featviz.render(model, units, objective=red, **settings).images / 255
    assert images[..., 0].min() > 0.75
    assert images[..., 1:].max() < 0.25


def test_a_negated_objective_lowers_the_activation(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    high = featviz.render(model, units, **FAST).activation
    low = featviz.render(model, units, objective=lambda _, values: -values, **FAST).activation
    assert (low < high).all()


class Gray:
    """One brightness for the whole image."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (3, height, width)

    def initial(self, generator: torch.Generator) -> Tensor:
        return torch.zeros(1) + 0 * torch.rand(1, generator=generator)

    def decode(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid()[:, :, None, None].expand(-1, *self.shape)


def test_a_custom_parametrization_restricts_the_pictures(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    images = featviz.render(model, units, param=Gray, **FAST).images
    assert (images == images[:, :, :1, :1, :1]).all()
    assert (images != images[0, 0, 0, 0, 0]).any() or (images != 128).any()


def test_custom_augmentations_run_in_every_step_and_keep_the_random_state(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    seen: list[Tensor] = []
    crop: Any = v2.RandomResizedCrop(20, scale=(0.5, 1.0))

    def augment(images: Tensor) -> Tensor:
        seen.append(images.detach())
        augmented: Tensor = crop(images) + 0.1 * torch.randn(1)
        return augmented

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = featviz.render(model, units, augmentation=augment, batch=2, **FAST)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(seen) == 12
    torch.manual_seed(4)
    second = featviz.render(model, units, augmentation=augment, **FAST)
    np.testing.assert_array_equal(first.images, second.images)
    other = featviz.render(model, units, augmentation=augment, seed=1, **FAST)
    assert (first.images != other.images).any()


@pytest.mark.parametrize("param", ["pixel", "fourier"])
@pytest.mark.parametrize("preset", ["naive", "vit"])
def test_a_picture_starts_at_the_start_image(
    model: VisionModel, units: list[featviz.Unit], param: str, preset: str
) -> None:
    ramp = torch.linspace(0.1, 0.9, 32)
    start = torch.stack(
        [ramp.expand(32, 32), ramp[:, None].expand(32, 32), torch.full((32, 32), 0.4)]
    )
    settings: dict[str, Any] = {
        "steps": 1,
        "preset": preset,
        "param": param,
        "size": 32,
        "frequency_schedule": 0.0,
    }
    if param == "pixel":
        settings.pop("frequency_schedule")
    recipe = make_recipe(model, start=start, **settings)
    images = featviz.render(model, units, start=start, **settings).images[:, 0]
    expected = (start * 255).round().permute(1, 2, 0).numpy()
    # One step changes each Fourier coefficient by the learning rate.
    assert recipe.start is not None
    assert np.abs(images - expected).mean() < 12
    assert np.corrcoef(images[0].ravel(), expected.ravel())[0, 1] > 0.97


def test_maco_starts_at_the_phases_of_the_start_image(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    start = torch.full((3, 32, 32), 0.2)
    start[:, 8:20, 10:26] = 0.8
    settings: dict[str, Any] = {"steps": 1, "preset": "naive", "param": "maco", "size": 32}
    images = featviz.render(model, units, start=start, **settings).images[0, 0].mean(-1)
    noise = featviz.render(model, units, **settings).images[0, 0].mean(-1)
    shape = start[0].numpy()
    assert np.corrcoef(images.ravel(), shape.ravel())[0, 1] > 0.3
    assert abs(np.corrcoef(noise.ravel(), shape.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"objective": lambda _, values: values.sum()}, r"objective must return a tensor \(2,\)"),
        ({"objective": lambda *_: None}, r"got a NoneType"),
        ({"augmentation": lambda images: images[:, :1]}, r"augmentation must return square images"),
        ({"param": lambda h, w: Gray(h, w + 1)}, r"Gray.decode must return \(N, 3, 32, 32\)"),
        ({"param": lambda *_: object()}, r"object has no method 'initial'"),
        ({"param": Gray, "start": torch.zeros(3, 8, 8)}, r"Gray has no method 'encode'"),
        ({"param": Gray, "frequency_schedule": 0.5}, r"Gray has no method 'frequencies'"),
    ],
)
def test_a_component_that_does_not_fit_is_refused_in_one_line(
    model: VisionModel, units: list[featviz.Unit], own: dict[str, Any], message: str
) -> None:
    with pytest.raises(FeatvizError, match=message):
        featviz.render(model, units, batch=2, **own, **FAST)


def test_what_an_objective_raises_is_not_caught(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    def broken(images: Tensor, activations: Tensor) -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        featviz.render(model, units, batch=2, objective=broken, **FAST)


def test_augmentations_of_the_whole_batch_do_not_depend_on_the_batch(
    model: VisionModel, units: list[featviz.Unit]
) -> None:
    def shift(images: Tensor) -> Tensor:
        return images.roll(int(torch.randint(32, ())), -1)

    together = featviz.render(model, units, augmentation=shift, batch=2, **FAST)
    alone = featviz.render(model, units, augmentation=shift, batch=1, **FAST)
    assert np.abs(together.images.astype(int) - alone.images).max() <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": torch.zeros(3, 8, 9)}, r"start must be a float tensor \(3, H, H\)"),
        ({"start": np.zeros((3, 8, 8))}, r"got a ndarray"),
        ({"start": torch.full((3, 8, 8), 255.0)}, r"got values from 255 to 255"),
        ({"objective": 3}, r"objective must be a function, got 3"),
        (
            {"param": Fourier(32, 32)},
            r"param must be a function or a name, got an object of type Fourier",
        ),
        (
            {"objective": lambda _, values: values, "split_qk": True},
            r"an objective of your own cannot be combined with split_qk",
        ),
        (
            {"objective": lambda _, values: values, "cosine_power": 1.0},
            r"an objective of your own cannot be combined with cosine_power",
        ),
        ({"smoothness": 0.1}, r"no setting 'smoothness'; it is now tv_weight"),
        ({"start": torch.zeros(3, 8, 8, dtype=torch.uint8)}, r"got uint8 \(3, 8, 8\)"),
        ({"stepz": 3}, r"no setting 'stepz'; did you mean steps"),
    ],
)
def test_an_invalid_argument_is_refused(
    model: VisionModel, units: list[featviz.Unit], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(FeatvizError, match=message):
        featviz.render(model, units, **settings)


@pytest.mark.parametrize(
    "own",
    [
        {"objective": lambda _, values: values},
        {"augmentation": lambda images: images},
        {"param": Gray},
        {"start": torch.zeros(3, 8, 8)},
    ],
)
def test_a_store_refuses_what_it_cannot_record(
    model: VisionModel, units: list[featviz.Unit], own: dict[str, Any], tmp_path: Path
) -> None:
    recipe = make_recipe(model, **own)
    with pytest.raises(FeatvizError, match=f"{next(iter(own))} is a Python object"):
        render_to_store(model, units, recipe, tmp_path / "store")
    assert not (tmp_path / "store").exists()
