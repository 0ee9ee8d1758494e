from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.examples.images import (
    KIND,
    MAX_SIDE,
    columns,
    crop,
    encode,
    read_image,
    settings,
)
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_box
from featviz.models.vision_model import VisionModel
from featviz.store.jobs import open_writer
from featviz.store.reader import Store
from tests.featviz.toys import toy_vit


def stored(model: VisionModel, store: Path, files: list[bytes], room: int, side: int) -> Store:
    options = {"side": side, "quality": 80, "bytes": room}
    writer = open_writer(model, store, KIND, options)
    writer.add({"address": list(map(str, range(len(files)))), **columns(files, [7, -1], room)})
    return Store(store)


def test_an_image_is_read_back_with_small_error(tmp_path: Path) -> None:
    images = [open_data("cueworld:2").image(number, 128) for number in range(2)]
    options = settings(128)
    assert options == {"side": 128, "quality": 80, "bytes": 128 * 128 * 3 // 8 + 256}
    files = [encode(image, 128, 80, options["bytes"]) for image in images]
    store = stored(toy_vit(), tmp_path / "s", files, options["bytes"], 128)
    for number, image in enumerate(images):
        found = read_image(store, number)
        assert found.shape == (128, 128, 3)
        assert found.dtype == np.uint8
        off = np.abs(found / 255 - image.permute(1, 2, 0).numpy())
        assert np.sqrt(np.square(off).mean()) < 0.05
    assert [int(row["label"]) for row in store.rows(KIND)] == [7, -1]
    assert store.verify() == []


def test_a_large_image_is_stored_small_and_a_small_one_as_it_is() -> None:
    assert settings(224)["side"] == settings(518)["side"] == MAX_SIDE
    assert settings(32)["side"] == 32


@pytest.mark.parametrize("size", [8, 16, 32, 128, 224])
def test_noise_fits_at_reduced_quality(size: int) -> None:
    options = settings(size)
    noise = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    file = encode(noise, **arguments(options))
    assert len(file) <= options["bytes"]
    assert file == encode(noise, **arguments(options))
    with pytest.raises(FeatvizError, match="does not fit into 20 bytes"):
        encode(noise, options["side"], options["quality"], 20)


def arguments(options: dict[str, int]) -> dict[str, int]:
    return {"side": options["side"], "quality": options["quality"], "max_bytes": options["bytes"]}


@pytest.mark.parametrize("what", ["other size", "no file", "cut off"])
def test_a_file_that_is_not_an_image_of_the_stored_size_is_refused(
    what: str, tmp_path: Path
) -> None:
    image = open_data("cueworld:1").image(0, 64)
    file = encode(image, 32 if what == "other size" else 64, 80, 4000)
    file = {"other size": file, "no file": b"\0" * 90, "cut off": file[:200]}[what]
    store = stored(toy_vit(), tmp_path / "s", [file, file], 4000, 64)
    with pytest.raises(FeatvizError, match="is damaged: image 1"):
        read_image(store, 1)


def test_a_missing_image_is_refused_by_its_index(tmp_path: Path) -> None:
    store = stored(toy_vit(), tmp_path / "s", [b"x", b"y"], 10, 64)
    with pytest.raises(FeatvizError, match="has no 5 in example_images"):
        read_image(store, 5)


def test_boxes_of_patches_calculated_by_hand() -> None:
    assert patch_box(1, (8, 8), 1, 128) == (0, 0, 16, 16)
    assert patch_box(64, (8, 8), 1, 128) == (112, 112, 128, 128)
    assert patch_box(10, (8, 8), 1, 128) == (16, 16, 32, 32)
    assert patch_box(3, (2, 3), 0, 12) == (0, 6, 4, 12)
    # 14 patches on 160 pixels: 11 or 12 each.
    assert patch_box(2, (14, 14), 1, 160) == (11, 0, 22, 11)
    assert patch_box(14, (14, 14), 1, 160) == (148, 0, 160, 11)


def test_a_token_that_is_not_a_patch_has_no_box() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    for token, grid, prefix in ((0, (2, 2), 1), (-1, (2, 2), 0), (5, (2, 2), 1), (3, (-1, -1), 0)):
        assert patch_box(token, grid, prefix, 16) is None
        assert crop(image, token, grid, prefix) is None


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.integers(9, 70))
def test_patches_tile_the_picture(rows: int, columns: int, prefix: int, side: int) -> None:
    seen = np.zeros((side, side), int)
    places = np.arange(side * side).reshape(side, side)
    picture = np.stack([places, places, places], -1)
    for token in range(prefix, prefix + rows * columns):
        box = patch_box(token, (rows, columns), prefix, side)
        assert box is not None
        left, top, right, bottom = box
        seen[top:bottom, left:right] += 1
        cut = crop(picture, token, (rows, columns), prefix)  # type: ignore[arg-type]
        np.testing.assert_array_equal(cut, picture[top:bottom, left:right])
    assert (seen == 1).all()
