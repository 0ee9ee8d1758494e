from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gallery.pictures import best_sample, save_picture, save_thumbnail


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


def test_the_best_sample_has_the_highest_finite_activation() -> None:
    assert best_sample(np.array([1.0, 3.0, 2.0])) == 1
    assert best_sample(np.array([np.nan, -2.0, np.inf])) == 1
    assert best_sample(np.array([np.nan, np.nan])) == 0
