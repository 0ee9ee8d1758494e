from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from featviz.errors import FeatvizError
from gallery.build.images import Figures, best_sample, image_format, save_lossless, save_thumbnail


def noise(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (33, 57)])
def test_a_picture_is_shown_exactly_as_stored(shape: tuple[int, int], tmp_path: Path) -> None:
    pixels = noise(*shape)
    save_lossless(pixels, tmp_path / "p.webp")
    with Image.open(tmp_path / "p.webp") as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), pixels)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(128, 128, (96, 96)), (48, 192, (96, 24)), (16, 16, (16, 16))],
)
def test_a_thumbnail_fits_96_pixels_and_is_never_enlarged(
    height: int, width: int, size: tuple[int, int], tmp_path: Path
) -> None:
    save_thumbnail(noise(height, width), tmp_path / "t.webp")
    with Image.open(tmp_path / "t.webp") as image:
        assert image.size == size


def waves(side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A smooth picture of many colors."""
    y, x = np.mgrid[0:side, 0:side] / side * 2 * np.pi
    channels = [np.sin(x + y), np.cos(2 * y - x), np.sin(2 * x) * np.cos(y)]
    return np.asarray(np.rint(127.5 + 127 * np.stack(channels, axis=2)), np.uint8)


def shown(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], name: str, path: Path) -> Any:
    image_format(name).save(pixels, path)
    with Image.open(path) as image:
        assert image.format == name.upper()
        return np.asarray(image.convert("RGB"), int)


def test_pictures_of_at_most_64_pixels_are_shown_exactly_and_larger_ones_nearly(
    tmp_path: Path,
) -> None:
    assert np.array_equal(shown(noise(64, 64), "webp", tmp_path / "a.webp"), noise(64, 64))
    error = shown(waves(128), "webp", tmp_path / "b.webp") - waves(128)
    assert 0 < np.sqrt((error**2).mean()) < 3


def test_avif_is_nearer_to_the_colors_than_webp(tmp_path: Path) -> None:
    errors = [
        np.square(shown(waves(128), name, tmp_path / name) - waves(128)).mean()
        for name in ("avif", "webp")
    ]
    assert errors[0] < errors[1]


def test_a_form_that_is_none_or_that_this_pillow_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        FeatvizError, match=r"unknown image format 'wepb'; expected webp or avif.*webp"
    ):
        image_format("wepb")
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    with pytest.raises(FeatvizError, match=r"cannot write AVIF; install pillow >= 11\.3"):
        image_format("avif")
    assert image_format("webp").name == "webp"


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
