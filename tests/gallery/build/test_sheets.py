from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gallery
from gallery.build.sheets import Sheet, capacity, cell_size, fills_cell, make_cell
from tests.gallery.made_stores import picture, write_store
from tests.gallery.test_exporter import data

RED, BLUE = (np.full((24, 32, 3), color, np.uint8) for color in ((255, 0, 0), (0, 0, 255)))


def opened(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def test_few_units_have_large_cells_and_many_small_ones() -> None:
    assert [cell_size(units) for units in (1, 2000, 2001, 18432)] == [96, 96, 64, 64]


@pytest.mark.parametrize("cell", [64, 96])
@pytest.mark.parametrize("wide", [False, True])
def test_a_decoded_sheet_takes_at_most_256_kib(cell: int, wide: bool, tmp_path: Path) -> None:
    sheet = Sheet(capacity(wide), cell, wide)
    for place in range(capacity(wide)):
        sheet.put(place, make_cell([RED], cell, wide))
    sheet.save(tmp_path / "s.webp")
    assert opened(tmp_path / "s.webp").nbytes <= 256 * 1024
    assert capacity(False) == 2 * capacity(True) == 4


@pytest.mark.parametrize(
    ("size", "cell", "wanted"),
    [
        ((64, 64), 64, True),
        ((32, 32), 64, True),
        ((24, 24), 64, False),
        ((224, 224), 96, True),
        ((64, 48), 64, False),
    ],
)
def test_a_picture_fills_its_cell_if_no_pixel_is_transparent(
    size: tuple[int, int], cell: int, wanted: bool
) -> None:
    pixels = np.full((size[1], size[0], 3), 99, np.uint8)
    assert (make_cell([pixels], cell, False)[..., 3] == 255).all() == wanted
    assert fills_cell(size, cell) == wanted


def test_a_small_picture_is_enlarged_by_a_whole_number_in_the_middle_of_its_cell() -> None:
    cell = make_cell([picture("a", 0)], 96, False)
    assert cell.shape == (96, 96, 4)
    # 32 x 24 pixels, three times: 72 rows, with 12 above and below.
    assert np.array_equal(cell[12:84, :, :3], picture("a", 0).repeat(3, 0).repeat(3, 1))
    assert (cell[12:84, :, 3] == 255).all()
    assert (cell[:12, :, 3] == 0).all()
    assert (cell[84:, :, 3] == 0).all()


def test_a_large_picture_is_reduced_to_fill_its_cell() -> None:
    y, x = np.mgrid[0:224, 0:224]
    ramp = np.stack([x, y, 223 - x], axis=2).astype(np.uint8)
    cell = make_cell([ramp], 64, False)
    assert (cell[..., 3] == 255).all()
    # Each pixel is about the mean of the 3.5 x 3.5 pixels that it covers.
    centers = (np.arange(64) + 0.5) * 3.5 - 0.5
    assert np.abs(cell[5:-5, 5:-5, 0] - centers[5:-5]).max() < 1.5
    assert np.abs(cell[5:-5, 5:-5, 1] - centers[5:-5, None]).max() < 1.5


def test_pairs_are_in_their_halves_with_a_transparent_gap() -> None:
    cell = make_cell([RED, BLUE], 96, True)
    assert cell.shape == (96, 192, 4)
    assert (cell[:, 94:98, 3] == 0).all()
    left, right = cell[:, :94], cell[:, 98:]
    assert (left[left[..., 3] > 0] == (255, 0, 0, 255)).all()
    assert (right[right[..., 3] > 0] == (0, 0, 255, 255)).all()
    assert (left[..., 3] > 0).sum() == (right[..., 3] > 0).sum() == (32 * 2) * (24 * 2)


def test_one_picture_in_a_wide_cell_is_centered() -> None:
    cell = make_cell([RED], 96, True)
    there = np.flatnonzero(cell[..., 3].any(axis=0))
    assert (there[0], there[-1]) == (48, 143)


@pytest.mark.parametrize(
    ("wide", "count", "size"),
    [(False, 1, (64, 64)), (False, 3, (128, 128)), (True, 2, (128, 128))],
)
def test_cells_follow_one_another_across_then_down(
    wide: bool, count: int, size: tuple[int, int], tmp_path: Path
) -> None:
    sheet = Sheet(count, 64, wide)
    for place in range(count):
        sheet.put(place, np.full((64, 64 * (1 + wide), 4), (place * 30, 99, 99, 255), np.uint8))
    sheet.save(tmp_path / "s.webp")
    pixels = opened(tmp_path / "s.webp")
    assert pixels.shape == (size[1], size[0], 4)
    for place in range(count):
        row, column = divmod(place, 1 if wide else 2)
        middle = pixels[row * 64 + 32, column * 64 * (1 + wide) + 32]
        # Sheets are lossy: within a few levels.
        assert abs(int(middle[0]) - place * 30) < 6


def test_every_unit_is_where_the_page_looks_for_it(tmp_path: Path) -> None:
    addresses = [f"head:{i}" for i in range(40)] + ["patch_embed:3"]
    gallery.export([write_store(tmp_path / "a", addresses)], tmp_path / "site")
    page = data(tmp_path / "site", "1/model")
    assert (page["cell"], page["columns"], page["thumbnailsOnly"]) == (96, 2, False)
    assert [(s["name"], s["count"], s["wide"], s["sheets"]) for s in page["sites"]] == [
        ("patch_embed", 1, False, 1),
        ("head", 40, False, 10),
    ]
    folder = tmp_path / "site/data-1/1/sheets"
    sheets = [opened(folder / f"1-{part}.webp").astype(float)[..., :3] for part in range(10)]
    wanted = [make_cell([picture(f"head:{i}", 0)], 96, False)[12:84, :, :3] for i in range(40)]
    for i in range(40):
        part, place = divmod(i, 4)
        row, column = divmod(place, 2)
        found = sheets[part][row * 96 + 12 : row * 96 + 84, column * 96 : column * 96 + 96]
        # Sheets are lossy; still each is clearly most like its own picture.
        errors = np.sqrt([np.square(found - cell).mean() for cell in wanted])
        assert errors.argmin() == i
        assert errors[i] < min(30, 0.8 * np.delete(errors, i).min())
