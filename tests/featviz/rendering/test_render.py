from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

import featviz
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.parametrization.spectrum import Spectrum
from featviz.rendering import batches
from featviz.rendering.render import Rendering, render
from tests.featviz.rendering.conftest import STEPS
from tests.featviz.toys import toy_vit


def dtypes_and_shapes(rendering: Rendering) -> list[tuple[str, tuple[int, ...]]]:
    arrays = (rendering.images, rendering.activation, rendering.trajectory)
    return [(array.dtype.name, array.shape) for array in arrays]


def test_units_of_several_sites_are_returned_in_the_given_order(whole: Rendering) -> None:
    assert [str(unit) for unit in whole.units] == [
        *(f"blocks.2.mlp.fc1:{index}" for index in range(3)),
        "patch_embed:1",
        "patch_embed:0",
        "blocks.0.mlp.fc1:5@0",
        "blocks.0.mlp.fc1:5@1",
    ]


def test_a_rendering_has_the_documented_types_and_shapes(whole: Rendering) -> None:
    assert dtypes_and_shapes(whole) == [
        ("uint8", (7, 2, 32, 32, 3)),
        ("float32", (7, 2)),
        ("float32", (7, 2, STEPS)),
    ]
    assert whole.failures == {}


def test_rendering_no_units_returns_empty_arrays(toy: VisionModel) -> None:
    empty = render(toy, [], samples=2, steps=STEPS)
    assert dtypes_and_shapes(empty) == [
        ("uint8", (0, 2, 32, 32, 3)),
        ("float32", (0, 2)),
        ("float32", (0, 2, STEPS)),
    ]


def test_activation_is_the_readout_of_the_returned_picture(
    toy: VisionModel, whole: Rendering
) -> None:
    pictures = torch.from_numpy(whole.images).flatten(0, 1).permute(0, 3, 1, 2) / 255
    values = featviz.readout(toy, whole.units)(pictures).view(7, 2, 7)
    expected = torch.stack([values[index, :, index] for index in range(7)])
    np.testing.assert_allclose(whole.activation, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, None])
def test_the_batch_size_does_not_change_the_pictures(
    toy: VisionModel, whole: Rendering, batch: int | None
) -> None:
    batched = render(toy, whole.units, samples=2, steps=STEPS, batch=batch)
    np.testing.assert_allclose(batched.activation, whole.activation, rtol=1e-3)
    assert np.abs(batched.images.astype(int) - whole.images).max() <= 1


def test_maco_images_have_the_given_spectrum(toy: VisionModel) -> None:
    """At low contrast around a color, the picture is that color."""
    levels = ((0.01, 0.01),) * 3
    colored = Spectrum("red", (0.75, 0.25, 0.25), (0.1, 0.5), levels)
    rendering = render(toy, units(toy, "patch_embed:1"), steps=2, param="maco", spectrum=colored)
    picture = rendering.images[0, 0] / 255
    np.testing.assert_allclose(picture.mean((0, 1)), colored.mean, atol=0.01)
    assert 0 < picture.std((0, 1)).min() < 0.05


def test_a_failed_unit_is_left_out_of_a_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_vit()
    model.module.blocks[2].mlp.fc1.weight[0] = float("nan")  # type: ignore[index,union-attr]
    rendering = render(model, units(model, "blocks.2.mlp.fc1:0-1"), steps=STEPS)
    assert rendering.units == [Unit("blocks.2.mlp.fc1", 1)]
    assert list(rendering.failures) == [Unit("blocks.2.mlp.fc1", 0)]
    assert len(rendering.images) == 1


@pytest.mark.parametrize(
    ("unit", "line"),
    [
        (Unit("blocks.9.mlp.fc1", 0), "no module blocks.9.mlp.fc1"),
        (Unit("blocks.0.mlp.fc1", 64), "0-63, not 64"),
        (Unit("blocks.0.mlp.fc1", 0, 99), "not 99"),
        (Unit("head", 0, "cls"), "head"),
    ],
)
def test_a_missing_unit_is_refused_before_any_work(
    toy: VisionModel, monkeypatch: pytest.MonkeyPatch, unit: Unit, line: str
) -> None:
    monkeypatch.setattr(batches, "optimize", lambda *_: pytest.fail("work was done"))
    with pytest.raises(FeatvizError, match=line):
        render(toy, [Unit("patch_embed", 0), unit], steps=STEPS)


def test_random_state_and_threads_are_unchanged(toy: VisionModel) -> None:
    def state() -> list[Any]:
        return [
            torch.get_rng_state().tolist(),
            random.getstate(),
            str(np.random.get_state()),  # noqa: NPY002 - the global state
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        ]

    before = state()
    render(toy, units(toy, "patch_embed:0"), samples=2, steps=STEPS)
    assert state() == before
