from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from torch import nn

import featviz
from featviz.addressing.selectors import units
from featviz.analysis.examples import profiles
from featviz.analysis.examples.job import examples_to_store
from featviz.analysis.examples.maps import MapTable, read_maps
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Row
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.analysis.examples.sources import all_images, noise
from tests.featviz.toys import index_of, toy_vit

Floats = npt.NDArray[np.float32]


def stored(values: Floats, cells: int) -> Floats:
    """Store a map as that of image 5, and read it."""
    table = MapTable(2, 1, cells)
    table.put(np.array([1]), np.array([0]), values[None])
    row = {name: column[1] for name, column in table.columns.items()}
    return read_maps({"images": np.array([5]), **row})[5]


def test_a_map_is_read_as_it_was_with_the_stated_error() -> None:
    values = np.random.default_rng(0).normal(1e3, 2, (7, 5)).astype(np.float32)
    np.testing.assert_allclose(stored(values, 49), values, atol=float(np.ptp(values)) / 508 * 1.01)
    constant = np.full((2, 2), 0.3, np.float32)
    np.testing.assert_array_equal(stored(constant, 4), constant)


def test_patches_without_a_value_stay_so() -> None:
    values = np.array([[np.nan, 1], [3, np.nan]], np.float32)
    np.testing.assert_array_equal(stored(values, 9), values)
    assert np.isnan(stored(np.full((2, 2), np.nan, np.float32), 4)).all()


def test_a_large_map_is_reduced_to_the_maximum_of_squares_of_patches() -> None:
    """A map of 18 x 34 patches is cut into squares of 3 x 3; the last column has one patch."""
    values = np.zeros((18, 34), np.float32)
    values[4, 8], values[17, 33] = 254, 100
    values[0:3, 30:33] = np.nan
    right = np.zeros((6, 12), np.float32)
    right[1, 2], right[5, 11], right[0, 10] = 254, 100, np.nan
    np.testing.assert_array_equal(stored(values, 256), right)


def test_a_grid_that_does_not_fit_is_refused() -> None:
    row = {name: column[0] for name, column in MapTable(1, 1, 4).columns.items()}
    for grid in ([3, 2], [-1, -1], [0, 4]):
        with pytest.raises(FeatvizError, match="patches and 4 levels"):
            read_maps({"images": np.array([5]), **row, "grid": np.array(grid)})


def test_stored_maps_are_the_activations_that_a_hook_records(tmp_path: Path) -> None:
    model, data = toy_vit(), noise(range(40))
    chosen = units(model, "blocks.1.mlp.fc1:0-2", "blocks.1.mlp.fc1:3@cls", "head:0")
    examples_to_store(model, chosen, data, tmp_path / "s")
    store = Store(tmp_path / "s")
    assert store.addresses("example_maps") == [str(unit) for unit in chosen[:4]]
    seen = []
    layer = model.module.get_submodule("blocks.1.mlp.fc1")
    layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    model.module(model.normalize(all_images(data, 32)))
    outputs = seen[0][:, 1:].numpy().reshape(40, 2, 2, -1)
    for unit in chosen[:4]:
        row, examples = (store.row(str(unit), kind) for kind in ("example_maps", "examples"))
        maps = read_maps(row)
        assert set(maps) == {*examples["top"].tolist(), *examples["spread"].tolist()}
        for image, own in maps.items():
            right = outputs[image, :, :, index_of(unit)]
            np.testing.assert_allclose(own, right, atol=np.ptp(right) / 508 + 1e-6)


def test_maps_of_feature_maps_of_several_sizes_share_a_store(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 3, stride=2), nn.Conv2d(2, 2, 3))
    model = VisionModel("convolutions", module, 36, (0.5,) * 3, (0.5,) * 3)
    chosen = units(model, "0:0", "1:0", "2:1")
    examples_to_store(model, chosen, noise([1, 2, 3, 4]), tmp_path / "s")
    rows = list(Store(tmp_path / "s").rows("example_maps"))
    assert [row["grid"].tolist() for row in rows] == [[12, 12], [9, 9], [15, 15]]
    assert {row["levels"].shape for row in rows} == {(18, 225)}
    pack(Store(tmp_path / "s"), tmp_path / "packed.h5")
    assert Store(tmp_path / "packed.h5").verify() == []


def encoded(values: npt.NDArray[np.float32]) -> Row:
    return {name: column[0] for name, column in profiles.encode(values[None]).items()}


def test_a_profile_is_read_as_it_was_with_the_stated_error() -> None:
    values = np.random.default_rng(0).normal(50, 1, 512).astype(np.float32)
    row = encoded(values)
    error = np.abs(profiles.decode(row).astype(np.float64) - values).max()
    assert error <= np.ptp(values) / 131070 + np.spacing(np.float32(50))
    # A 16-bit float has steps of 1/32 here.
    assert error < np.abs(values.astype(np.float16) - values).max() / 50
    constant = np.full(4, -0.3, np.float32)
    np.testing.assert_array_equal(profiles.decode(encoded(constant)), constant)


def test_a_profile_is_the_value_on_evenly_spaced_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "IMAGES", 8)
    data = noise(range(20))
    data._source.interleaved = False
    model = toy_vit()
    (unit,) = units(model, "blocks.1.mlp.fc1:3")
    examples_to_store(model, [unit], data, tmp_path / "s")
    store = Store(tmp_path / "s")
    found = profiles.decode(store.row(str(unit), "profiles"))
    values = featviz.readout(model, [unit])(all_images(data, 32))[:, 0].numpy()
    np.testing.assert_allclose(
        found, values[[0, 2, 5, 7, 10, 12, 15, 17]], atol=np.ptp(values) / 1e4
    )
    assert store.configuration["profiles"]["profile"] == 8
