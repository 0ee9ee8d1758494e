"""The map of units: embedding, grid, and the data file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.build.build_cache import ModelBuildCache
from gallery.units.image_similarity import LENGTH, comparable_images, nearest_images
from gallery.units.unit_map.embedding import _repulsion, embed
from gallery.units.unit_map.grid import place_on_grid
from gallery.units.unit_map.writer import UnitMapWriter

NO_CACHE = ModelBuildCache(None, {})


def textures(units: int, seed: int = 0) -> NDArray[np.uint8]:
    """Descriptors on a smooth surface of four dimensions, with noise."""
    generator = np.random.default_rng(seed)
    latent = generator.uniform(-1, 1, (units, 4))
    values = np.tanh(latent @ generator.standard_normal((4, LENGTH)))
    noisy = values + 0.02 * generator.standard_normal(values.shape)
    return np.clip(np.rint(127.5 + 100 * noisy), 1, 255).astype(np.uint8)


def write(
    folder: Path,
    descriptors: NDArray[np.uint8],
    *profiles: Any,
    previous: ModelBuildCache = NO_CACHE,
) -> dict[str, Any] | None:
    """Write a map; read what a page reads, or None if there is no map."""
    folder.mkdir(parents=True)
    writer = UnitMapWriter(folder, previous)
    given = profiles or (None, None)
    if not writer.write(descriptors, list(nearest_images(descriptors)), *given):
        assert list(folder.iterdir()) == []
        return None
    text = (folder / "map/0.js").read_text(encoding="ascii")
    content: dict[str, Any] = json.loads(text.split("=", 2)[2].rstrip(";\n"))
    return content


def cells(content: dict[str, Any] | None) -> NDArray[np.float64]:
    """Column and row of each unit; NaN without a place."""
    assert content is not None
    places = [np.nan if cell is None else cell for cell in content["cells"]]
    return np.stack(np.divmod(np.array(places), content["columns"])[::-1], axis=1)


def nearest(points: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Indices of the nearest other points of each point."""
    distance = np.square(points[:, None] - points[None]).sum(-1).astype(float)
    np.fill_diagonal(distance, np.inf)
    found: NDArray[np.intp] = distance.argsort(axis=1, kind="stable")[:, :count]
    return found


def test_the_repulsion_is_that_of_all_pairs() -> None:
    points = np.random.default_rng(0).uniform(-20, 20, (300, 2)).astype(np.float32)
    difference = points[:, None].astype(float) - points[None]
    kernel = 1 / (1 + np.square(difference).sum(-1))
    total = kernel.sum() - len(points)
    exact = (np.square(kernel)[..., None] * difference).sum(1) / total
    error = np.linalg.norm(_repulsion(points) - exact)
    assert error < 0.15 * np.linalg.norm(exact)  # pairs within a cell repel each other less


def test_two_clusters_of_pictures_stay_apart(tmp_path: Path) -> None:
    one, other = textures(1, 1)[0].astype(int), textures(1, 2)[0].astype(int)
    noise = np.random.default_rng(0).integers(-6, 7, (80, LENGTH))
    isolated = np.clip(np.where(np.arange(80)[:, None] % 2, one, other) + noise, 1, 255)
    at = cells(write(tmp_path / "map", isolated.astype(np.uint8)))
    same = nearest(at, 5) % 2 == np.arange(80)[:, None] % 2
    assert same.mean() > 0.9


def test_similar_units_are_nearer_than_on_principal_components(tmp_path: Path) -> None:
    descriptors = textures(600)
    vectors = comparable_images(descriptors)
    true = nearest(vectors, 10)
    centered = vectors - vectors.mean(0)
    linear = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T

    def kept(points: NDArray[Any]) -> float:
        found = nearest(points, 30)
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(true, found, strict=True)]))

    share = kept(cells(write(tmp_path / "map", descriptors)))
    assert share > 0.6
    assert share > kept(linear) + 0.1


def test_every_unit_has_a_cell_of_its_own_and_the_map_is_the_same_each_time(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, textures(300)) for name in "ab")
    assert first is not None
    assert second is not None
    assert len(set(first["cells"])) == 300
    assert max(first["cells"]) < first["columns"] * first["rows"] < 600
    files = [(tmp_path / name / "map/0.js").read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_units_with_the_same_picture_lie_together(tmp_path: Path) -> None:
    descriptors = textures(200)
    descriptors[[3, 50, 120, 199]] = descriptors[3]
    at = cells(write(tmp_path / "map", descriptors))
    group = at[[3, 50, 120, 199]]
    assert np.ptp(group, axis=0).max() <= 3


def test_units_without_a_picture_have_no_place(tmp_path: Path) -> None:
    descriptors = textures(60)
    descriptors[[0, 7]] = 0
    content = write(tmp_path / "map", descriptors)
    assert content is not None
    assert [i for i, cell in enumerate(content["cells"]) if cell is None] == [0, 7]
    others = write(tmp_path / "others", np.delete(descriptors, [0, 7], axis=0))
    assert others is not None
    assert [cell for cell in content["cells"] if cell is not None] == others["cells"]


@pytest.mark.parametrize("units", [5, 9, 40])
def test_equal_pictures_fill_the_grid(tmp_path: Path, units: int) -> None:
    content = write(tmp_path / "map", np.full((units, LENGTH), 90, np.uint8))
    assert content is not None
    assert len(set(content["cells"])) == units


def test_fewer_than_five_units_have_no_map(tmp_path: Path) -> None:
    descriptors = textures(6)
    assert write(tmp_path / "four", descriptors[:4]) is None
    descriptors[:2] = 0
    assert write(tmp_path / "damaged", descriptors) is None
    assert write(tmp_path / "five", descriptors[1:].clip(1)) is not None


def test_activations_on_images_place_units_if_no_more_have_pictures(tmp_path: Path) -> None:
    # Two groups of units are active on different images; their pictures say nothing of it.
    generator = np.random.default_rng(0)
    group = np.arange(60) % 2
    signal = generator.standard_normal((2, 40))[group]
    profiles = (signal + 0.3 * generator.standard_normal((60, 40))).astype(np.float32)
    by_profile = [[(int(j), 1.0) for j in row] for row in nearest(profiles, 8)]
    content = write(tmp_path / "all", textures(60), profiles, by_profile)
    assert content is not None
    assert content["basis"] == "activations"
    assert (group[nearest(cells(content), 4)] == group[:, None]).mean() > 0.85
    profiles[0] = np.nan
    some = write(tmp_path / "some", textures(60), profiles, by_profile)
    assert some is not None
    assert some["basis"] == "pictures"


def test_a_scale_or_an_offset_of_the_activations_changes_nothing(tmp_path: Path) -> None:
    profiles = np.random.default_rng(0).standard_normal((50, 20)).astype(np.float32)
    by_profile = [[(int(j), 1.0) for j in row] for row in nearest(profiles, 8)]
    scaled = profiles * np.float32(4) + np.float32(8)
    found = [
        write(tmp_path / str(i), textures(50), values, by_profile)
        for i, values in enumerate((profiles, scaled))
    ]
    assert found[0] == found[1]


def test_the_map_is_reused_while_its_inputs_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    writer = UnitMapWriter(tmp_path / "old", NO_CACHE)
    descriptors = textures(40)
    writer.write(descriptors, list(nearest_images(descriptors)), None, None)
    previous = ModelBuildCache(tmp_path / "old", {"map": writer.keys})
    made: list[int] = []
    monkeypatch.setattr(
        "gallery.units.unit_map.embedding.embed",
        lambda *given: made.append(1) or embed(*given),  # type: ignore[func-returns-value]
    )
    write(tmp_path / "same", descriptors, previous=previous)
    assert made == []
    assert (tmp_path / "same/map/0.js").samefile(tmp_path / "old/map/0.js")
    write(tmp_path / "other", descriptors[::-1].copy(), previous=previous)
    assert made == [1]


def test_points_keep_their_order_on_the_grid() -> None:
    across, down = np.meshgrid(np.arange(8.0), np.arange(6.0))
    points = np.stack([across.ravel(), down.ravel()], axis=1)
    at, columns, rows = place_on_grid(points)
    assert (columns, rows) == (11, 8)
    for axis in (0, 1):
        lower = points[:, None, axis] < points[None, :, axis]
        assert not (lower & (at[:, None, axis] > at[None, :, axis] + 1)).any()


def test_the_gap_between_two_groups_of_points_stays_empty() -> None:
    points = np.random.default_rng(0).uniform(0, 1, (200, 2))
    points[100:, 0] += 3
    at, columns, _ = place_on_grid(points)
    assert at[100:, 0].min() - at[:100, 0].max() > 0.15 * columns
