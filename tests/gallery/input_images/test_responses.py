"""Values and maps of units on images, against hooks on the module itself."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import featviz
import gallery
import gallery.input_images.page
from featviz.models.vision_model import VisionModel
from tests.gallery.input_images.images import NEURONS, ROWS, UNITS, own_image, own_store
from tests.gallery.made_stores import activation
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data, units

PATCHES = ROWS * ROWS


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    images = [own_image(folder / "a.png", 1), own_image(folder / "b.png", 2)]
    gallery.export(own_store(folder / "run"), folder / "site", images=images)
    return folder / "site"


def hooked(model: VisionModel, pixels: np.ndarray[Any, Any], path: str) -> np.ndarray[Any, Any]:
    """Output of a submodule on an image (H, W, 3) of bytes, recorded by a hook of its own."""
    taken = []
    hook = model.module.get_submodule(path).register_forward_hook(
        lambda _module, _inputs, output: taken.append(output)
    )
    mean, std = (torch.tensor(each).reshape(3, 1, 1) for each in (model.mean, model.std))
    image = torch.tensor(pixels).permute(2, 0, 1) / 255
    with torch.no_grad():
        model.module(((image - mean) / std)[None])
    hook.remove()
    return np.asarray(taken[0][0])


def expected(model: VisionModel, pixels: np.ndarray[Any, Any]) -> dict[str, float]:
    """Value of each of `UNITS` on an image."""
    tokens = hooked(model, pixels, "blocks.2.mlp.fc1")
    filters = hooked(model, pixels, "patch_embed.proj").reshape(-1, PATCHES)
    return {
        "patch_embed:9": filters[9].mean(),
        **{unit: tokens[-PATCHES:, i].mean() for i, unit in enumerate(NEURONS)},
        "blocks.2.mlp.fc1:3@1": tokens[1, 3],
        "head:0": hooked(model, pixels, "head")[0],
    }


def pixels_of(site: Path, name: str) -> np.ndarray[Any, Any]:
    with Image.open(site.parent / name) as image:
        return np.array(image)


@pytest.mark.parametrize(("number", "name"), [(0, "a.png"), (1, "b.png")])
def test_values_are_those_that_hooks_record(
    site: Path, model: VisionModel, number: int, name: str
) -> None:
    rows = data(site, "1/responses/0")
    found = {unit: row[number][0] for unit, row in zip(units(site), rows, strict=True)}
    wanted = expected(model, pixels_of(site, name))
    assert set(found) == set(UNITS)
    assert found == pytest.approx(wanted, rel=6e-4, abs=1e-6)


def test_maps_are_the_values_at_the_patches(site: Path, model: VisionModel) -> None:
    names = list(units(site))
    tokens = hooked(model, pixels_of(site, "a.png"), "blocks.2.mlp.fc1")[-PATCHES:]
    maps = {
        names[unit]: found
        for _, entries in data(site, "1/images/0")["layers"]
        for unit, *_, found in entries
    }
    assert maps["head:0"] is None
    for i, unit in enumerate(NEURONS):
        rows, columns, low, high, text = maps[unit]
        bytes_ = np.frombuffer(b64decode(text), np.uint8)
        levels = np.stack([bytes_ >> 4, bytes_ & 15], 1).ravel()
        assert (rows, columns) == (ROWS, ROWS)
        assert (low, high) == pytest.approx((tokens[:, i].min(), tokens[:, i].max()), rel=6e-4)
        step = (high - low) / 15
        assert np.abs(low + step * levels - tokens[:, i]).max() < 0.52 * step + 1e-3 * abs(high)


def test_without_natural_images_a_value_is_relative_to_gray_and_the_picture(
    site: Path, model: VisionModel
) -> None:
    gray = np.full((1, 1, 3), 127.5, np.float32).repeat(128, 0).repeat(128, 1)
    low, value = (expected(model, image) for image in (gray, pixels_of(site, "a.png")))
    rows = data(site, "1/responses/0")
    assert data(site, "1/sections/images")["reference"] == "picture"
    for unit, [[_, relative, rank, percentile, _], _] in zip(units(site), rows, strict=True):
        picture = float(activation(unit, 1)[0])
        wanted = (value[unit] - low[unit]) / (picture - low[unit])
        assert relative == pytest.approx(wanted, rel=2e-3, abs=1e-4)
        assert (rank, percentile) == (None, None)


def test_with_natural_images_units_are_ordered_by_the_ratio_of_the_gallery(
    site: Path, model: VisionModel, tmp_path: Path
) -> None:
    store = own_store(tmp_path / "run")
    value = expected(model, pixels_of(site, "a.png"))
    # Unit i of 5 is at i / 4 of the way from the median to the best of 101 natural images.
    best = [value[unit] + 4 - i for i, unit in enumerate(NEURONS)]
    percentiles = [np.linspace(each - 8, each, 101) for each in best]
    examples(store.path, NEURONS, percentiles, model.fingerprint)
    gallery.export(store, tmp_path / "site", images=site.parent / "a.png")
    names = list(units(tmp_path / "site"))
    assert data(tmp_path / "site", "1/sections/images") == {
        "reference": "natural",
        "data": "made up",
        "natural": 101,
        "unranked": 3,
        "images": [["a.png", 128]],
    }
    layers = dict(data(tmp_path / "site", "1/images/0")["layers"])
    [entries] = layers.values()
    assert [names[unit] for unit, *_ in entries] == NEURONS[::-1]
    assert [entry[2] for entry in entries] == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=1e-3)
    # The first is as high as the best image, but for rounding; the others are below the top three.
    assert [entry[3] for entry in entries[1:]] == [None] * 4
    assert entries[0][3] in {1, 2}
    assert [entry[4] for entry in entries][1:] == pytest.approx([87.5, 75, 62.5, 50], abs=0.1)


def test_batches_of_units_do_not_change_the_files(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.input_images.page, "BATCH", 2)
    store = own_store(tmp_path / "run")
    gallery.export(store, tmp_path / "site", images=site.parent / "a.png")
    found, wanted = (data(folder, "1/images/0") for folder in (tmp_path / "site", site))
    assert found == wanted


def examples(
    path: Path, addresses: list[str], percentiles: list[np.ndarray[Any, Any]], fingerprint: str
) -> None:
    """Add natural images with given percentiles, the highest three as top images."""
    count, top = len(addresses), np.array([each[::-1][:3] for each in percentiles], np.float32)
    none = np.full((count, 3), -1, np.int32)
    tokens = np.full((count, 3, 2), -1, np.int32)
    columns: dict[str, Any] = {
        "address": addresses,
        "percentiles": np.array(percentiles, np.float32),
    }
    for name in ("top", "bottom", "spread"):
        columns |= {name: none, f"{name}_values": top, f"{name}_tokens": tokens}
    columns |= {name: np.zeros(count, np.float32) for name in STATISTICS}
    histogram = np.zeros((count, 64), np.int32)
    histogram[:, 0] = 101
    columns |= {
        "histogram": histogram,
        "classes": np.zeros((count, 1), np.float32),
        "grid": np.full((count, 2), ROWS, np.int32),
        "prefix": np.ones(count, np.int32),
    }
    settings = {"data": {"name": "made up", "fingerprint": "0"}, "classes": ["one"]}
    write_results(path, "examples", columns, settings, fingerprint=fingerprint)


STATISTICS = ("mean", "deviation", "sparsity", "active")
