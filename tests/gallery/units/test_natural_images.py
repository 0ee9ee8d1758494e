from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gallery
from featviz.analysis.examples import profiles
from featviz.store.reader import Store
from gallery.build.build_cache import ModelBuildCache
from gallery.units.natural_images import NaturalImages
from tests.gallery.made_stores import picture, write_store
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data, units

UNITS = [f"head:{i}" for i in range(5)]
TOPS = [[1, 2, 3, 4], [3, 4, 5, 6], [1, 2, 3, 9], [20, 21, 22, 23], [-1, -1, -1, -1]]
CONFIGURATION = {"data": "cueworld:100", "classes": ["disc", "bar"]}


def webp(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP")
    return file.getvalue()


def examples(addresses: Sequence[str], tops: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Rows of examples whose strongest images are named."""
    count = len(addresses)
    top = np.array(tops, np.int32)
    shapes = {"top": top.shape[1], "bottom": top.shape[1], "spread": 2}
    columns: dict[str, Any] = {"address": list(addresses)}
    for name, width in shapes.items():
        columns[name] = np.zeros((count, width), np.int32)
        columns[f"{name}_values"] = np.zeros((count, width), np.float32)
        columns[f"{name}_tokens"] = np.zeros((count, width, 2), np.int32)
    columns["top"] = top
    for name in ("mean", "deviation", "sparsity", "active"):
        columns[name] = np.full(count, 0.5, np.float32)
    return columns | {
        "percentiles": np.tile(np.linspace(-1, 1, 101, dtype=np.float32), (count, 1)),
        "histogram": np.ones((count, 8), np.int32),
        "classes": np.zeros((count, 2), np.float32),
        "grid": np.full((count, 2), 4, np.int32),
        "prefix": np.ones(count, np.int32),
    }


def images(files: dict[str, bytes]) -> dict[str, Any]:
    """Rows of example images, padded as in a store."""
    room = max(map(len, files.values()))
    content = np.zeros((len(files), room), np.uint8)
    for row, file in zip(content, files.values(), strict=True):
        row[: len(file)] = np.frombuffer(file, np.uint8)
    lengths = np.array([len(file) for file in files.values()], np.int32)
    labels = np.zeros(len(files), np.int32)
    return {"address": list(files), "webp": content, "bytes": lengths, "label": labels}


def natural(path: Path, files: dict[str, bytes], tops: Sequence[Sequence[int]] = TOPS) -> Store:
    write_store(path, UNITS)
    write_results(path, "examples", examples(UNITS, tops), CONFIGURATION)
    return write_results(path, "example_images", images(files), CONFIGURATION)


@pytest.fixture
def files() -> dict[str, bytes]:
    return {str(number): webp(picture("photo", number)) for number in (1, 2, 30)}


def test_units_are_similar_by_the_share_of_common_top_images(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    store = natural(tmp_path / "a", files)
    (tmp_path / "m").mkdir()
    images_of_model = NaturalImages([store], tmp_path / "m", ModelBuildCache(None, {}))
    found = images_of_model.similar_units(UNITS)
    # The sets of each pair share 2, 3 or 1 of 4 images.
    assert found == [[(2, 0.75), (1, 0.5)], [(0, 0.5), (2, 0.25)], [(0, 0.75), (1, 0.25)], [], []]


def profiled(path: Path, values: NDArray[np.float32], addresses: Sequence[str]) -> None:
    """Add profiles of units to a store."""
    columns = {"address": list(addresses), **profiles.encode(values)}
    write_results(path, "profiles", columns, CONFIGURATION)


def test_units_correlate_as_numpy_computes_from_their_profiles(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=300)
    # The third has a mean that is large compared to its deviation; the last is constant.
    values = np.stack(
        [
            shared + rng.normal(size=300),
            shared - rng.normal(size=300),
            1e4 + 0.5 * shared,
            -shared,
            np.full(300, 0.1),
        ]
    ).astype(np.float32)
    natural(tmp_path / "a", files)
    profiled(tmp_path / "a", values[:2], UNITS[:2])
    profiled(tmp_path / "a", values[2:], UNITS[2:])
    (tmp_path / "m").mkdir()
    stores = [Store(tmp_path / "a")]
    found = NaturalImages(stores, tmp_path / "m", ModelBuildCache(None, {}))
    read = found.profiles([*UNITS, "head:77"])
    assert read is not None
    np.testing.assert_allclose(read[:5], values, rtol=1e-6, atol=1e-4)
    assert np.isnan(read[5]).all()
    right = np.asarray(np.corrcoef(values[:4].astype(np.float64)))
    correlated = found.correlated_units([*UNITS, "head:77"])
    assert correlated is not None
    for unit in range(4):
        expected = [other for other in np.argsort(-right[unit]) if other != unit]
        expected = [other for other in expected if right[unit, other] > 0]
        assert [other for other, _ in correlated[unit]] == expected
        np.testing.assert_allclose(
            np.array([each for _, each in correlated[unit]]), right[unit][expected], atol=1e-4
        )
    assert correlated[4:] == [[], []]


def test_stores_without_profiles_have_no_correlated_units(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    store = natural(tmp_path / "a", files)
    (tmp_path / "m").mkdir()
    found = NaturalImages([store], tmp_path / "m", ModelBuildCache(None, {}))
    assert found.profiles(UNITS) is None
    assert found.correlated_units(UNITS) is None


def test_images_are_copied_byte_for_byte_under_their_indices(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    made = gallery.export([natural(tmp_path / "a", files)], tmp_path / "site")
    assert made.warnings == ()
    folder = tmp_path / "site/data-1/1/examples"
    assert {path.stem: path.read_bytes() for path in folder.iterdir()} == files
    rows = data(tmp_path / "site", "1/details/0")
    ((_, row, *_),) = units(tmp_path / "site")["head:0"]
    assert rows[row][5]["activation"] == [[2, 0.75], [1, 0.5]]
    assert [entry[0] for entry in rows[row][6]["examples"]["top"]] == [1, 2, 3, 4]


def test_images_are_reused_as_links(files: dict[str, bytes], tmp_path: Path) -> None:
    gallery.export([natural(tmp_path / "a", files)], tmp_path / "site")
    before = {p.name: p.stat().st_ino for p in (tmp_path / "site/data-1/1/examples").iterdir()}
    write_store(tmp_path / "a", ["head:9"])
    gallery.export([tmp_path / "a"], tmp_path / "site")
    after = {p.name: p.stat().st_ino for p in (tmp_path / "site/data-2/1/examples").iterdir()}
    assert after == before


def test_invalid_images_are_left_out_with_a_warning(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    png = io.BytesIO()
    Image.fromarray(picture("photo", 7)).save(png, "PNG")
    bad = {
        "7": png.getvalue(),
        "8": files["1"][:-30],
        "../9": files["1"],
        "10": b"<script>",
        "11": webp(np.zeros((1, 5000, 3), np.uint8)),
    }
    made = gallery.export([natural(tmp_path / "a", files | bad)], tmp_path / "site")
    folder = tmp_path / "site/data-1/1/examples"
    assert {path.stem for path in folder.iterdir()} == set(files)
    assert sorted(made.warnings) == [
        "natural image ../9: its address is not an index",
        "natural image 10: it is not a WebP image",
        "natural image 11: it has 5000 x 1 pixels; the maximum side is 4096",
        "natural image 7: it is not a WebP image",
        "natural image 8: it is not a WebP image",
    ]


def test_images_of_a_second_dataset_are_not_shown(files: dict[str, bytes], tmp_path: Path) -> None:
    first = natural(tmp_path / "a", files)
    other = ["patch_embed:1"]
    write_store(tmp_path / "b", other, settings={"seed": 1})
    elsewhere = {**CONFIGURATION, "data": "folder:photos"}
    write_results(tmp_path / "b", "examples", examples(other, TOPS[:1]), elsewhere)
    write_results(tmp_path / "b", "example_images", images({"1": files["2"]}), elsewhere)
    gallery.export([first, tmp_path / "b"], tmp_path / "site")
    assert (tmp_path / "site/data-1/1/examples/1.webp").read_bytes() == files["1"]
    ((_, row, *_),) = units(tmp_path / "site")["patch_embed:1"]
    evidence = data(tmp_path / "site", "1/details/0")[row][6]
    assert evidence["examples"] is None
    # Its metrics do not depend on the dataset that is shown.
    assert evidence["pictures"][0]["percentile"] is not None


def test_a_page_has_the_metrics_of_the_evidence(files: dict[str, bytes], tmp_path: Path) -> None:
    store = natural(tmp_path / "a", files)
    gallery.export([store], tmp_path / "site")
    columns = data(tmp_path / "site", "1/units")["metrics"]
    listed = [metric["key"] for metric in data(tmp_path / "site", "1/model")["metrics"]]
    assert listed == list(columns) == ["activation", "ratio", "percentile"]
    # The middle image gave 0 and the best 1, so the ratio is the activation itself.
    values = [float(store.row(unit)["activation"][0]) for unit in UNITS]
    assert columns["ratio"] == pytest.approx(values, rel=1e-4)
    assert columns["activation"] == pytest.approx(values, rel=1e-4)
