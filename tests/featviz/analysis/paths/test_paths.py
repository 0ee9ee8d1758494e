from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

import featviz
from featviz.analysis.compare.representations import representations
from featviz.analysis.examples.job import examples_to_store
from featviz.analysis.paths import job
from featviz.analysis.paths.job import last_layer_before, paths_to_store
from featviz.analysis.paths.path import COLUMNS, ActivationPath, is_natural
from featviz.analysis.paths.similarity import activation_path
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.blocks.representations import find_layers
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from featviz.store.jobs import JobSummary, open_writer
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.cli.running import tree
from tests.featviz.toys import toy_vit

SIDE, DATA = 32, "cueworld:54"
EAST, WEST, NORTH = (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0)


def path(
    picture: Sequence[tuple[float, float]],
    top: Sequence[Sequence[tuple[float, float]]],
    others: Sequence[Sequence[tuple[float, float]]],
    labels: tuple[list[int], list[int]],
    last: int = 0,
) -> ActivationPath:
    return activation_path(
        [f"blocks.{layer}" for layer in range(len(picture))],
        [torch.tensor(one) for one in picture],
        [torch.tensor(some) for some in top],
        [torch.tensor(some) for some in others],
        (torch.tensor(labels[0]), torch.tensor(labels[1])),
        last,
    )


# Paths computed by hand.


@pytest.mark.parametrize(
    ("picture", "expected"), [(EAST, 1.0), (WEST, 0.0), (NORTH, 0.5), ((3.0, 3.0), 0.5 + 0.5**1.5)]
)
def test_the_naturalness_equals_that_computed_by_hand(
    picture: tuple[float, float], expected: float
) -> None:
    """Images that activate the unit are in the east, images of another class in the west."""
    found = path([picture], [[EAST] * 4], [[WEST] * 5], ([0] * 4, [1] * 5))
    assert found.naturalness == pytest.approx(expected)
    assert (found.natural.tolist(), found.different.tolist()) == ([1], [-1])
    assert np.isnan(found.same).all()
    assert found.layers == ("blocks.0",)


def test_images_of_unknown_class_count_as_of_other_classes() -> None:
    others = [EAST, NORTH, WEST, WEST]
    found = path([EAST], [[EAST] * 3], [others], ([4, 4, -1], [4, 4, 5, -1]))
    assert found.same.tolist() == [0.5]
    # All four differ from the third image, whose class is unknown; the last two from the others.
    assert found.different.tolist() == pytest.approx([(1 + 0 - 1 - 1) / 4])


def test_naturalness_averages_the_layers_before_the_unit() -> None:
    arguments = ([[EAST] * 3] * 3, [[WEST] * 3] * 3, ([0] * 3, [1] * 3))
    found = [path([EAST, NORTH, WEST], *arguments, last) for last in range(3)]
    assert [each.naturalness for each in found] == pytest.approx([1, 0.75, 0.5])
    assert all(each.picture.tolist() == [1, 0, -1] for each in found)


def test_an_image_is_compared_with_its_three_nearest_top_images() -> None:
    """A unit that two kinds of images activate may have a picture of either kind."""
    top, labels = [[EAST] * 4 + [NORTH] * 4], ([0] * 8, [1] * 2)
    for picture in (EAST, NORTH):
        found = path([picture], top, [[WEST] * 2], labels)
        assert (found.picture.tolist(), found.natural.tolist()) == ([1], [1])
    between = path([WEST], top, [[WEST] * 2], labels)
    assert between.picture.tolist() == between.different.tolist() == [0]


def test_the_same_images_are_nearest_at_every_layer() -> None:
    """Otherwise a picture could be similar to another image at each layer."""
    top = [[EAST] * 3 + [NORTH] * 3, [NORTH] * 3 + [EAST] * 3]
    found = path([EAST, (1.0, 0.1)], top, [[WEST], [WEST]], ([0] * 6, [1]), 1)
    assert found.picture[0] + found.picture[1] < 1.2


def test_neither_scale_nor_order_changes_a_path() -> None:
    generator = torch.Generator().manual_seed(0)
    top, others = torch.randn(6, 5, generator=generator), torch.randn(9, 5, generator=generator)
    picture, classes = (
        torch.randn(5, generator=generator),
        (torch.arange(6) % 2, torch.arange(9) % 3),
    )
    one = activation_path(["a"], [picture], [top], [others], classes, 0)
    swapped = (classes[0].flip(0), classes[1].flip(0))
    vectors = [7 * picture], [2 * top.flip(0)], [0.1 * others.flip(0)]
    other = activation_path(["a"], *vectors, swapped, 0)
    for name in ("picture", "natural", "same", "different"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5)


@pytest.mark.parametrize("top", [[EAST], [EAST, WEST, NORTH]])
def test_without_similar_top_images_there_is_no_naturalness(top: list[tuple[float, float]]) -> None:
    """A single image has no other to compare with; these three differ as much as others do."""
    found = path([EAST], [top], [[EAST, WEST, NORTH]], ([0] * len(top), [1] * 3))
    assert np.isnan(found.naturalness)
    assert not is_natural(found.naturalness)


def test_a_picture_is_natural_from_a_naturalness_of_a_quarter_on() -> None:
    assert is_natural(np.array([1.3, 0.25, 0.2499, -2, np.nan])).tolist() == [1, 1, 0, 0, 0]


# A network with a fooling circuit.


class Stage(nn.Module):
    """Four channels for the colors of natural images, and one for checkerboards only.

    Source of the idea: Geirhos et al., 2023, "fooling circuits".
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 2, 2)
        board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
        colors = torch.tensor([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2], [1, 1, 1]])
        with torch.no_grad():
            self.conv.weight[:4] = colors[:, :, None, None] / 8
            self.conv.weight[4] = board / 12
            self.conv.bias.copy_(torch.tensor([1.0, 1, 1, 1, -0.5]))  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.conv(images))


class Foolable(nn.Module):
    """Unit 0 responds to red; so does unit 1, but a checkerboard activates it far more."""

    def __init__(self) -> None:
        super().__init__()
        self.stage, self.top = Stage(), nn.Conv2d(5, 2, 1)
        with torch.no_grad():
            self.top.weight.zero_()
            torch.nn.init.zeros_(self.top.bias)  # type: ignore[arg-type]
            self.top.weight[:, 0] = 1
            self.top.weight[1, 4] = 100

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.top(self.stage(images))
        return out


def checkerboard() -> NDArray[np.uint8]:
    luma = (np.indices((SIDE, SIDE)).sum(0) % 2 == 0) * 255
    return np.repeat(luma[..., None], 3, 2).astype(np.uint8)


def value(model: VisionModel, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Value of unit 1 on a picture."""
    image = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        read = featviz.readout(model, featviz.units(model, "top:1"))(image)
    found: NDArray[np.float32] = read[0].numpy()
    return found


@pytest.fixture(scope="module")
def fooled(tmp_path_factory: pytest.TempPathFactory) -> tuple[VisionModel, Path]:
    model = VisionModel("toy", Foolable().eval(), SIDE, (0.5,) * 3, (0.5,) * 3)
    store = tmp_path_factory.mktemp("paths") / "s"
    units, board = featviz.units(model, "top:0-1"), checkerboard()
    recipe = make_recipe(model, preset="naive", steps=80, samples=1)
    render_to_store(model, units[:1], recipe, store)
    open_writer(model, store, "renders", recipe.to_json()).add(
        {
            "address": [str(units[1])],
            "images": board[None, None],
            "activation": value(model, board)[None],
            "trajectory": np.zeros((1, 1, 80), np.float32),
        }
    )
    examples_to_store(model, units, open_data(DATA), store)
    paths_to_store(model, store)
    return model, store


def test_natural_images_do_not_distinguish_the_fooled_unit(
    fooled: tuple[VisionModel, Path],
) -> None:
    honest, other = Store(fooled[1]).rows("examples")
    assert honest["top"].tolist() == other["top"].tolist()
    assert honest["top_values"].tolist() == other["top_values"].tolist()
    reached = Store(fooled[1]).row("top:1")["activation"][0]
    assert reached > 10 * other["top_values"].max()


def test_only_the_picture_of_the_fooled_unit_is_not_natural(
    fooled: tuple[VisionModel, Path],
) -> None:
    honest, other = Store(fooled[1]).rows("paths")
    assert honest["agreement"] > 0.8
    assert other["agreement"] < 0.2
    assert is_natural(np.array([honest["agreement"], other["agreement"]])).tolist() == [True, False]


# The job.


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return toy_vit()


@pytest.fixture
def store(model: VisionModel, tmp_path: Path) -> Path:
    return filled(model, tmp_path / "s")


def filled(model: VisionModel, path: Path) -> Path:
    units = featviz.units(model, "patch_embed:2", "blocks.1.mlp.fc1:0-2", "head:1")
    render_to_store(model, units, make_recipe(model, steps=2, samples=2, diversity=0), path)
    examples_to_store(model, units[:4], open_data(DATA), path, top=4)
    return path


def outputs(model: VisionModel, layers: list[str], image: Tensor) -> list[Tensor]:
    """The output of each layer, token by token."""
    found: list[Tensor] = []
    hooks = [
        model.module.get_submodule(layer).register_forward_hook(lambda *seen: found.append(seen[2]))
        for layer in layers
    ]
    with torch.no_grad():
        model.module(model.normalize(image))
    for hook in hooks:
        hook.remove()
    return found


def test_stored_paths_are_those_of_the_stored_pictures_and_examples(
    model: VisionModel, store: Path
) -> None:
    assert paths_to_store(model, store) == JobSummary(4, 0)
    opened, dataset, layers = Store(store), open_data(DATA), find_layers(model)
    assert opened.configuration["paths"]["layers"] == layers
    natural = representations(model, dataset, layers)
    labels = torch.tensor(dataset.labels(range(54)))
    means = [part.mean(0) for part in natural.values()]
    for row in opened.rows("paths"):
        render, top = opened.row(row["address"]), opened.row(row["address"], "examples")["top"]
        best = render["images"][render["activation"].argmax()] / 255
        image = torch.from_numpy(best).float().permute(2, 0, 1)[None]
        seen = outputs(model, layers, image)
        pooled = [out[0] if out.ndim == 2 else out[0, -4:].mean(0) for out in seen]
        others = [index for index in range(54) if index not in top.tolist()]
        expected = activation_path(
            layers,
            [one - mean for one, mean in zip(pooled, means, strict=True)],
            [part[top] - mean for part, mean in zip(natural.values(), means, strict=True)],
            [part[others] - mean for part, mean in zip(natural.values(), means, strict=True)],
            (labels[top], labels[others]),
            last_layer_before(model, featviz.units(model, row["address"])[0], layers),
        )
        found = ActivationPath.from_row(row, layers)
        assert found.layers == tuple(layers)
        for name in COLUMNS:
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), rtol=1e-3, atol=1e-4, equal_nan=True
            )


def test_the_last_layer_before_a_unit_is_the_one_before_its_own(model: VisionModel) -> None:
    layers = ["patch_embed", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "head"]
    assert find_layers(model) == layers
    selectors = (
        "patch_embed:0",
        "blocks.0.attn.qkv:0",
        "blocks.2.mlp.fc2:1",
        "blocks.3.attn.qk:0@same",
    )
    units = featviz.units(model, *selectors, "head:0", "blocks.0.mlp.fc1:0+blocks.2.mlp.fc1:1")
    assert [last_layer_before(model, unit, layers) for unit in units] == [0, 0, 2, 3, 4, 2]


def test_a_second_run_computes_nothing(
    model: VisionModel, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths_to_store(model, store)
    before = tree(store)
    monkeypatch.setattr(job, "represent", None)
    assert paths_to_store(model, store) == JobSummary(0, 4)
    assert tree(store) == before


def test_an_interrupted_job_continues_and_the_batch_size_changes_nothing(
    model: VisionModel, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths_to_store(model, filled(model, tmp_path / "whole"))
    monkeypatch.setattr(job, "UNITS_PER_BATCH", 1)
    monkeypatch.setattr(job, "IMAGES_PER_BATCH", 5)

    def stop(now: float, _total: int) -> None:
        if now == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paths_to_store(model, store, progress=stop)
    assert paths_to_store(model, store) == JobSummary(2, 2)
    for row in Store(store).rows("paths"):
        other = Store(tmp_path / "whole").row(row["address"], "paths")
        for name in row.keys() - {"address"}:
            np.testing.assert_allclose(row[name], other[name], rtol=1e-3, atol=1e-4)


def test_a_packed_store_holds_the_paths(model: VisionModel, store: Path, tmp_path: Path) -> None:
    paths_to_store(model, store)
    pack(Store(store), tmp_path / "s.h5")
    packed = Store(tmp_path / "s.h5")
    assert Store(store).verify() == packed.verify() == []
    assert [row["address"] for row in packed.rows("paths")] == Store(store).addresses("paths")


def test_a_store_without_examples_is_refused_with_the_command_that_adds_them(
    model: VisionModel, tmp_path: Path
) -> None:
    units = featviz.units(model, "head:0")
    render_to_store(model, units, make_recipe(model, steps=1), tmp_path / "s")
    with pytest.raises(FeatvizError, match="has no natural examples; `featviz examples toy"):
        paths_to_store(model, tmp_path / "s")


def test_a_dataset_whose_images_have_changed_is_refused(
    model: VisionModel, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Any = open_data("cueworld:9")
    monkeypatch.setattr(job, "open_data", lambda _name: other)
    with pytest.raises(FeatvizError, match="have changed since the examples were taken"):
        paths_to_store(model, store)


def test_the_model_and_the_random_state_are_restored(model: VisionModel, store: Path) -> None:
    module, state = model.module, torch.get_rng_state()
    module.train()
    try:
        paths_to_store(model, store)
        assert all(part.training for part in module.modules())
        assert not any(part._forward_hooks for part in module.modules())
        assert torch.equal(state, torch.get_rng_state())
    finally:
        module.eval()
