from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import gallery
from gallery.units.image_similarity import LENGTH, describe_image, mean_color, nearest_images
from tests.gallery.made_stores import write_store
from tests.gallery.test_exporter import data, units


def stripes(angle: float, color: tuple[int, int, int], phase: float = 0) -> NDArray[np.uint8]:
    """Bars across a direction (degrees from the horizontal), eight pixels apart."""
    y, x = np.mgrid[0:64, 0:64]
    turned = math.cos(math.radians(angle)) * x + math.sin(math.radians(angle)) * y
    light = 0.5 + 0.5 * np.sin(2 * np.pi * turned / 8 + phase)
    return np.asarray(np.rint(light[..., None] * np.array(color)), np.uint8)


def flat(color: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((64, 64, 3), color, np.uint8)


def test_a_flat_picture_has_its_color_everywhere_and_no_edges() -> None:
    # In 255ths: light 60.7; red against green 91 / 2 and yellow against blue 91 / 4 - 91 / 2, both
    # on top of one half, 127.5: 173 and 104.75.
    found = describe_image(flat((91, 0, 91)))
    parts = found[:27].reshape(9, 3)
    assert (parts == parts[0]).all()
    assert parts[0].tolist() == [61, 173, 105]
    assert not found[27:].any()


def test_edges_are_counted_at_the_orientation_across_which_light_changes() -> None:
    for place, angle in enumerate(np.arange(8) * 22.5 + 11.25):
        finest = describe_image(stripes(angle, (255, 255, 255)))[30:38].astype(int)
        assert finest.argmax() == place
        assert finest[place] > 2 * np.delete(finest, [place, (place + 1) % 8, place - 1]).max()


def test_colors_lie_where_they_are() -> None:
    picture = flat((0, 0, 0))
    picture[:21, 43:] = (255, 255, 255)
    light = describe_image(picture)[:27:3].reshape(3, 3)
    assert light[0, 2] > 240
    assert np.delete(light.ravel(), 2).max() < 20


def test_any_size_and_shape_is_described() -> None:
    assert all(
        describe_image(np.zeros((h, w, 3), np.uint8)).shape == (LENGTH,)
        for h, w in [(1, 1), (7, 300)]
    )


def test_the_same_texture_elsewhere_is_nearer_than_another_texture() -> None:
    white, red = (255, 255, 255), (255, 40, 40)
    pictures = [
        stripes(10, white), stripes(10, white, 2), stripes(100, white), stripes(10, red),
        flat((200, 30, 30)), flat((30, 30, 200)), stripes(55, red), stripes(100, red, 1),
    ]  # fmt: skip
    nearest = list(nearest_images(np.stack([describe_image(p) for p in pictures])))
    assert nearest[0][0][0] == 1
    assert nearest[1][0][0] == 0
    assert nearest[0][0][1] > 0.95
    for number, found in enumerate(nearest):
        assert number not in [other for other, _ in found]
        assert all(0 < likeness <= 1 for _, likeness in found)


def test_the_nearest_are_those_of_the_whole_table() -> None:
    looks = np.random.default_rng(0).integers(0, 256, (1300, LENGTH), np.uint8)
    looks[700] = 0
    known = np.delete(np.arange(1300), 700)
    values = looks[known] - looks[known].mean(0)
    for part in (slice(0, 27), slice(27, 30), slice(30, LENGTH)):
        values[:, part] /= np.square(values[:, part]).sum() ** 0.5
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    table = values @ values.T
    np.fill_diagonal(table, -1)
    found = list(nearest_images(looks))
    assert found[700] == []
    for row, number in enumerate(known):
        order = np.argsort(-table[row], kind="stable")[:8]
        # To four digits, of which rounding may turn the last.
        likeness = [value for _, value in found[number]]
        assert likeness == pytest.approx(table[row][order].tolist(), abs=2e-4)
        assert likeness == sorted(likeness, reverse=True)


def test_of_equals_those_with_the_lower_numbers_are_named() -> None:
    looks = np.stack([describe_image(flat((9, 9, 9)))] * 12 + [describe_image(flat((250, 0, 0)))])
    found = list(nearest_images(looks))
    assert found[5] == [(i, 1.0) for i in (0, 1, 2, 3, 4, 6, 7, 8)]
    assert found[12] == []


def test_no_or_few_pictures_have_no_or_few_neighbors() -> None:
    assert list(nearest_images(np.zeros((0, LENGTH), np.uint8))) == []
    assert list(nearest_images(describe_image(flat((9, 9, 9)))[None])) == [[]]


NONE = {"activation": None, "correlation": None}


def test_a_unit_has_the_units_with_similar_pictures(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", [f"head:{i}" for i in range(20)] + ["patch_embed:1"])
    gallery.export([store], tmp_path / "site")
    addresses = list(units(tmp_path / "site"))
    rows = data(tmp_path / "site", "1/details/0")
    images = [store.row(address)["images"][0] for address in addresses]
    wanted = list(nearest_images(np.stack([describe_image(image) for image in images])))
    for number, entry in enumerate(rows):
        assert entry[5] == {"picture": [list(pair) for pair in wanted[number]], **NONE}


@pytest.mark.parametrize(
    ("color", "wanted"),
    [((255, 0, 0), "f00"), ((0, 119, 238), "07e"), ((255, 255, 255), "fff"), ((17, 34, 51), "123")],
)
def test_the_mean_color_of_a_flat_picture_is_its_color(
    color: tuple[int, int, int], wanted: str
) -> None:
    assert mean_color(describe_image(flat(color))) == wanted


def test_a_descriptor_has_the_mean_color_of_all_parts() -> None:
    picture = flat((0, 0, 0))
    picture[:32] = (255, 85, 170)
    found = [int(digit, 16) * 17 for digit in mean_color(describe_image(picture))]
    assert np.abs(np.array(found) - [127.5, 42.5, 85]).max() <= 10
