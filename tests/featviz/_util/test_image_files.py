from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from featviz._util.image_files import check_image, read_image
from featviz.errors import FeatvizError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)


def written(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form)
    return buffer.getvalue()


FILES = {form: written(form) for form in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")}


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tiff"])
def test_an_image_of_the_right_size_is_read_bit_for_bit(name: str, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name)
    expected = torch.from_numpy(PIXELS).permute(2, 0, 1).float() / 255
    assert torch.equal(read_image(tmp_path / name, 24), expected)


def test_a_wide_image_loses_its_sides_and_not_its_middle(tmp_path: Path) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = (255, 0, 128)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    red, green, blue = read_image(tmp_path / "wide.png", 8)
    assert red.eq(1).all()
    assert green.eq(0).all()
    assert blue.eq(128 / 255).all()


def test_a_larger_image_is_scaled_down_whole(tmp_path: Path) -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 255
    Image.fromarray(halves).save(tmp_path / "large.png")
    image = read_image(tmp_path / "large.png", 16)
    assert image.shape == (3, 16, 16)
    assert image[:, :, :6].max() < 0.05
    assert image[:, :, 10:].min() > 0.95


def test_the_rotation_that_a_camera_recorded_is_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(PIXELS)
    exif = picture.getexif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    expected = np.rot90(PIXELS, -1)
    got = read_image(tmp_path / "turned.png", 24).permute(1, 2, 0) * 255
    assert np.array_equal(got.round().numpy(), expected)


def test_gray_and_transparent_images_are_read_as_rgb(tmp_path: Path) -> None:
    gray, rgba = PIXELS[..., 0], np.dstack([PIXELS, np.zeros((24, 24), np.uint8)])
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    as_gray = (read_image(tmp_path / "gray.png", 24) * 255).round().numpy()
    as_rgb = (read_image(tmp_path / "rgba.png", 24) * 255).round().numpy()
    assert all(np.array_equal(channel, gray) for channel in as_gray)
    assert np.array_equal(as_rgb.transpose(1, 2, 0), PIXELS)


def test_an_image_of_16_bits_is_refused_rather_than_cut_off(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(FeatvizError, match=r"deep\.png has more than 8 bits a channel; save it"):
        read_image(tmp_path / "deep.png", 8)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"there is no file .*nowhere\.png"):
        read_image(tmp_path / "nowhere.png", 8)


@pytest.mark.parametrize("content", [b"", b"just text", FILES["PNG"][:300], FILES["JPEG"][:300]])
def test_what_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "not.png").write_bytes(content)
    with pytest.raises(FeatvizError, match=r"not\.png cannot be read as an image"):
        read_image(tmp_path / "not.png", 8)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="cannot be read as an image"):
        read_image(tmp_path, 8)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_are_read_or_refused_and_nothing_else(
    data: st.DataObject, tmp_path: Path
) -> None:
    content = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        image = read_image(path, 8)
    except FeatvizError as error:
        with pytest.raises(FeatvizError, match=re.escape(str(error))):
            check_image(path)
        return
    check_image(path)
    assert image.shape == (3, 8, 8)
    assert 0 <= image.min() <= image.max() <= 1


def test_hidden_colors_of_transparent_pixels_show_also_in_a_palette(tmp_path: Path) -> None:
    image = Image.new("P", (2, 2))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=bytes([100, 128]))
    # Several transparent colors, of which Pillow warns.
    with Image.open(tmp_path / "palette.png") as file:
        assert isinstance(file.info["transparency"], bytes)
    shown = (read_image(tmp_path / "palette.png", 2) * 255).round().int()
    assert shown[:, 0, 0].tolist() == [10, 20, 30]
    assert shown[:, 0, 1].tolist() == [40, 50, 60]


def test_an_image_that_unpacks_to_gigabytes_is_refused_with_the_option_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 24 // 2 - 1)
    with pytest.raises(FeatvizError, match=r"a\.png: .*576 pixels.*574.*--large-images") as caught:
        read_image(tmp_path / "a.png", 24)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_image(tmp_path / "a.png", 24).shape == (3, 24, 24)


def saved(form: str, image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


PICTURE = Image.fromarray(PIXELS)
UNUSUAL = {
    "CMYK": saved("JPEG", PICTURE.convert("CMYK")),
    "progressive": saved("JPEG", PICTURE, progressive=True),
    "animated GIF": saved("GIF", PICTURE, save_all=True, append_images=[PICTURE.rotate(90)]),
    "palette with a transparent color": saved("PNG", PICTURE.convert("P"), transparency=3),
    "gray with alpha": saved("PNG", PICTURE.convert("LA")),
    "black and white": saved("PNG", PICTURE.convert("1")),
    "Lab": saved("TIFF", PICTURE.convert("LAB")),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_images_are_read_as_pillow_converts_their_first_frame(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "image").write_bytes(UNUSUAL[kind])
    with Image.open(io.BytesIO(UNUSUAL[kind])) as file:
        rgba = file.mode in ("P", "LA")
        expected = np.array(file.convert("RGBA" if rgba else "RGB"))[..., :3]
    check_image(tmp_path / "image")
    shown = (read_image(tmp_path / "image", 24) * 255).round().permute(1, 2, 0).numpy()
    assert np.array_equal(shown, expected)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
def test_a_file_that_lacks_its_second_half_is_found_by_a_check_as_by_reading(
    form: str, tmp_path: Path
) -> None:
    large = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    content = saved(form, Image.fromarray(large))
    path = tmp_path / "image"
    for cut in (0, len(content) // 2, len(content) * 9 // 10):
        path.write_bytes(content[:cut])
        with pytest.raises(FeatvizError) as by_reading:
            read_image(path, 24)
        with pytest.raises(FeatvizError) as by_check:
            check_image(path)
        assert str(by_check.value) == str(by_reading.value)
