from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from gallery.pictures import Figures, best_sample, save_picture, save_thumbnail


def noise(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (33, 57)])
def test_a_picture_is_shown_exactly_as_stored(shape: tuple[int, int], tmp_path: Path) -> None:
    pixels = noise(*shape)
    save_picture(pixels, tmp_path / "p.webp")
    with Image.open(tmp_path / "p.webp") as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), pixels)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(128, 128, (96, 96)), (48, 192, (96, 24)), (16, 16, (16, 16))],
)
def test_a_thumbnail_fits_96_pixels_and_is_never_enlarged(
    height: int, width: int, size: tuple[int, int], tmp_path: Path
) -> None:
    save_thumbnail([noise(height, width)], tmp_path / "t.webp")
    with Image.open(tmp_path / "t.webp") as image:
        assert image.size == size


def test_two_pictures_stand_side_by_side_with_nothing_between(tmp_path: Path) -> None:
    red, blue = (np.full((24, 32, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    save_thumbnail([red, blue], tmp_path / "t.webp")
    with Image.open(tmp_path / "t.webp") as image:
        pixels = np.asarray(image.convert("RGBA"), int)
    assert pixels.shape == (24, 32 + 4 + 32, 4)
    assert (pixels[:, 32:36, 3] == 0).all()
    # Thumbnails are lossy: within a few levels.
    assert np.abs(pixels[4:20, 4:28] - (255, 0, 0, 255)).max() < 12
    assert np.abs(pixels[4:20, 40:64] - (0, 0, 255, 255)).max() < 12


def test_figures_of_one_content_are_one_file(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "figures")
    found = [figures.save(pixels, "x") for pixels in (noise(4, 6), noise(5, 5), noise(4, 6))]
    assert found == [[0, 6, 4], [1, 5, 5], [0, 6, 4]]
    assert len(list((tmp_path / "figures").iterdir())) == 2


def test_figures_of_the_same_bytes_in_another_shape_are_others(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "figures")
    flat = np.zeros((4, 6, 3), np.uint8)
    assert figures.save(flat, "x") == [0, 6, 4]
    assert figures.save(flat.reshape(6, 4, 3), "x") == [1, 4, 6]


@pytest.mark.parametrize("shape", [(0, 4, 3), (1, 20000, 3)])
def test_a_figure_that_no_file_can_hold_is_refused_by_name(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(FeatvizError, match=r"attn\.qk:0 cannot be shown"):
        Figures(tmp_path / "figures").save(np.zeros(shape, np.uint8), "attn.qk:0")


def test_the_best_sample_has_the_highest_finite_activation() -> None:
    assert best_sample(np.array([1.0, 3.0, 2.0])) == 1
    assert best_sample(np.array([np.nan, -2.0, np.inf])) == 1
    assert best_sample(np.array([np.nan, np.nan])) == 0
