"""What people pass to public functions by mistake, and what is accepted in place of units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import featviz
from featviz.analysis.examples.job import examples
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.hooks import Call, record
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from tests.featviz.toys import toy_vit

MODEL = toy_vit()
ADDRESS = "blocks.1.mlp.fc1:0"
UNIT = featviz.Unit("blocks.1.mlp.fc1", 0)
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
Number = Any


def rendered(units: Any = ADDRESS, model: Any = MODEL, **settings: Any) -> featviz.Rendering:
    return featviz.render(model, units, **{"steps": 1, **settings})


@pytest.mark.parametrize(
    "given",
    [
        "blocks.1.mlp.fc1:0-1",
        [ADDRESS, "blocks.1.mlp.fc1:1"],
        (UNIT, "blocks.1.mlp.fc1:1"),
        (featviz.Unit("blocks.1.mlp.fc1", index) for index in (0, 1, 0)),
    ],
)
def test_units_may_be_given_as_texts_units_or_both(given: Any) -> None:
    assert list(map(str, rendered(given).units)) == [ADDRESS, "blocks.1.mlp.fc1:1"]


@pytest.mark.parametrize("given", [ADDRESS, UNIT, [ADDRESS]])
def test_one_unit_may_be_given_without_a_list(given: Any, tmp_path: Path) -> None:
    assert rendered(given).units == [UNIT]
    assert featviz.readout(MODEL, given).units == [UNIT]
    assert featviz.combine(given) == UNIT
    assert render_to_store(MODEL, given, make_recipe(MODEL, steps=1), tmp_path / "s").stored == 1
    assert [each.address for each in examples(MODEL, given, open_data("cueworld"), 4, 1)] == [
        ADDRESS
    ]


def test_a_readout_has_a_column_for_each_unit_also_for_one_given_twice() -> None:
    values = featviz.readout(MODEL, [ADDRESS, UNIT])(IMAGES)
    assert torch.equal(values[:, 0], values[:, 1])


def test_units_may_be_combined_by_their_addresses() -> None:
    found = featviz.combine(["head:0", "head:0+-2~head:1"], [0.5, 1])
    assert str(found) == "0.5~head:0+head:0+-2~head:1"
    assert (
        featviz.combine(("head:0", "head:1"), np.array([1, -1]))
        == featviz.units(MODEL, "head:0+-1~head:1").pop()
    )


@pytest.mark.parametrize("number", [np.int64(16), torch.tensor(16)])
def test_whole_numbers_of_numpy_and_pytorch_are_recorded_as_those_of_python(number: Number) -> None:
    recipe = make_recipe(MODEL, samples=number, steps=number, size=number, seed=number)
    plain = make_recipe(MODEL, samples=16, steps=16, size=16, seed=16)
    assert repr(recipe.to_json()) == repr(plain.to_json())


COUNTS = ("samples", "steps", "size", "batch")


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1])
def test_counts_are_at_least_1(name: str, value: int) -> None:
    with pytest.raises(FeatvizError, match=rf"^{name} must be at least \d+, got {value}$"):
        rendered(**{name: value})


@pytest.mark.parametrize("name", [*COUNTS, "seed"])
@pytest.mark.parametrize("value", [True, 2.0, "3", float("nan")])
def test_counts_and_seeds_are_whole_numbers(name: str, value: Number) -> None:
    with pytest.raises(FeatvizError, match=f"^{name} must be a whole number.*, got {value!r}$"):
        rendered(**{name: value})


@pytest.mark.parametrize("name", [*COUNTS, "seed"])
@pytest.mark.parametrize("value", [np.True_, torch.tensor(True), torch.tensor(2.0)])
def test_tensors_and_numbers_of_numpy_that_are_not_whole_are_refused(
    name: str, value: Number
) -> None:
    kind = type(value).__name__
    with pytest.raises(FeatvizError, match=f"^{name} must be a whole number.* of type {kind}$"):
        rendered(**{name: value})


@pytest.mark.parametrize("name", ["diversity", "tv_weight", "cosine_power", "frequency_schedule"])
@pytest.mark.parametrize("value", [True, "x", float("nan"), -1, [1]])
def test_weights_are_finite_numbers(name: str, value: Number) -> None:
    with pytest.raises(FeatvizError, match=f"^{name} must (be a|lie in)"):
        rendered(**{name: value})


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: rendered(None), "units must be selectors or units, got None"),
        (lambda: rendered([1, 2]), "a unit is a selector or a Unit, got 1"),
        (lambda: rendered("layer4:3"), "the model has no module layer4"),
        (lambda: rendered([featviz.Unit("layer4", 3)]), "the model has no module layer4"),
        (lambda: rendered(model=MODEL.module), r"a module \(VisionTransformer\); featviz.wrap\("),
        (lambda: rendered(model="vit"), "model must be a VisionModel, as featviz.load returns it"),
        (lambda: rendered(MODEL, [UNIT]), "model must be a VisionModel, .*got an object of type"),
        (lambda: rendered(preset=3), "preset must be one of vit, cnn, naive, got 3"),
        (lambda: rendered(precision=["x"]), "precision must be one of .*, got an object of type"),
        (lambda: rendered(spectrum=3), "spectrum must be a Spectrum or the name of a dataset"),
        (lambda: rendered(split_qk=1), "split_qk must be True or False, got 1"),
        (lambda: rendered(progress=3), "progress must be True, False or a function"),
        (lambda: featviz.units(MODEL, ["head:0"]), "pass several as several arguments"),  # type: ignore[arg-type]
        (lambda: featviz.units(MODEL, UNIT), "a selector is a text"),  # type: ignore[arg-type]
        (lambda: featviz.units(MODEL.module, "head:0"), "featviz.wrap"),  # type: ignore[arg-type]
        (lambda: featviz.readout(MODEL.module, UNIT), "featviz.wrap"),  # type: ignore[arg-type]
        (lambda: featviz.combine([UNIT], 2), "weights must be a list of numbers"),  # type: ignore[arg-type]
        (lambda: featviz.combine([UNIT], ["a"]), "a weight must be a number, got 'a'"),  # type: ignore[list-item]
        (lambda: featviz.combine([UNIT], [float("nan")]), "weights must be finite and nonzero"),
        (lambda: featviz.combine("head:0-3"), "'head:0-3' is not the address of one unit"),
        (lambda: featviz.combine([3]), "a unit is an address or a Unit, got 3"),  # type: ignore[list-item]
        (lambda: featviz.Store(None), "a store must be a path, got None"),  # type: ignore[arg-type]
        (lambda: featviz.Store(""), "a store must be a path, got ''"),
        (lambda: featviz.Store(Path(__file__)), "is not a featviz store"),
    ],
)
def test_a_mistake_is_one_line(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(FeatvizError, match=message) as raised:
        mistake()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.numpy(), "not an object of type ndarray; torch.from_numpy makes a tensor"),
        (Image.new("RGB", (32, 32)), "not an object of type Image; torchvision.*to_tensor"),
        (list(IMAGES), "not an object of type list; torch.stack"),
        ((255 * IMAGES).byte(), r"not uint8 \(2, 3, 32, 32\); .float\(\) / 255"),
        (IMAGES.permute(0, 2, 3, 1), r"not float32 \(2, 32, 32, 3\); .permute\(0, 3, 1, 2\)"),
        (IMAGES[0], r"not float32 \(3, 32, 32\); \[None\] adds the batch axis"),
        (IMAGES[:, :1], r"not float32 \(2, 1, 32, 32\); .expand"),
        (torch.rand(2, 3, 64, 64), "resize them to 32 x 32"),
        (255 * IMAGES, r"reads images in \[0, 1\].*; divide them by 255"),
        (4 * IMAGES - 2, r"reads images in \[0, 1\], before its own normalization, not in \[-1.9"),
        (IMAGES * float("nan"), r"not in \[nan, nan\]"),
    ],
)
@pytest.mark.parametrize("paired", [False, True])
def test_images_are_refused_with_what_would_be_right(
    images: Any, message: str, paired: bool
) -> None:
    read = featviz.readout(MODEL, [UNIT] * 2)
    with pytest.raises(FeatvizError, match=message):
        (read.paired if paired else read)(images)


def test_images_slightly_outside_the_range_are_read() -> None:
    values = featviz.readout(MODEL, UNIT)(torch.cat([IMAGES - 0.2, IMAGES + 0.2]))
    assert values.isfinite().all()


# Compiled modules.


@pytest.mark.parametrize("whole", [True, False])
def test_modules_compiled_in_place_render_the_same_pictures_and_stay_compiled(whole: bool) -> None:
    model = toy_vit()
    blocks = model.module.get_submodule("blocks")
    parts = [model.module] if whole else list(blocks.children())
    for part in parts:
        part.compile(backend="eager")
    calls = [part._compiled_call_impl for part in parts]
    found = rendered(ADDRESS, model)
    assert np.array_equal(found.images, rendered().images)
    assert [part._compiled_call_impl for part in parts] == calls
    assert None not in calls


def test_a_model_of_a_compiled_module_has_the_sites_and_weights_of_the_module() -> None:
    compiled: Any = torch.compile(MODEL.module, backend="eager")
    model = VisionModel("toy", compiled, 32, MODEL.mean, MODEL.std)
    assert list(model.sites) == list(MODEL.sites)
    assert model.fingerprint == MODEL.fingerprint


# Ctrl-C in a notebook: the same model is used by the next cell.


def state(model: VisionModel) -> list[Any]:
    parts = list(model.module.modules())
    hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in parts]
    weights = [weight.requires_grad for weight in model.module.parameters()]
    return [hooks, [part.training for part in parts], weights, torch.get_rng_state().tolist()]


@pytest.mark.parametrize("path", ["patch_embed", "blocks.0", "blocks.1.norm2"])
def test_ctrl_c_in_any_layer_leaves_the_model_as_it_was(path: str) -> None:
    model = toy_vit()
    model.module.train().requires_grad_(True)
    featviz.units(model, ADDRESS)  # finds the sites
    before = state(model)

    def interrupt(_call: Call) -> None:
        raise KeyboardInterrupt

    jobs: list[Callable[[], Tensor | featviz.Rendering]] = [
        lambda: rendered(ADDRESS, model, samples=2),
        lambda: featviz.readout(model, ADDRESS)(IMAGES),
    ]
    for job in jobs:
        with pytest.raises(KeyboardInterrupt), record(model.module, [path], interrupt):
            job()
        assert state(model) == before


def test_ctrl_c_in_the_progress_callback_leaves_the_model_as_it_was() -> None:
    model = toy_vit()
    before = state(model)

    def interrupt(_finished: float, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rendered(ADDRESS, model, progress=interrupt)
    assert state(model) == before
