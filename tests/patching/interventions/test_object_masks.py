"""Masks of objects from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from patching.effects.table import read_traces
from patching.interventions.corruptions import corruption
from patching.interventions.selection import Selection
from patching.sweeps.job import Settings, trace_to_store
from tests.featviz.models.attention_models import attention_model

SIZE = 64
INSIDE = (slice(16, 48), slice(24, 40))  # rows, columns


@pytest.fixture
def model() -> VisionModel:
    return attention_model("ViT")


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Four photographs in two classes, their masks and inpainted copies."""
    generator = np.random.default_rng(0)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[INSIDE] = 255
    for index in range(4):
        name = f"{'ab'[index % 2]}/{index}"
        for folder in ("photos", "masks", "painted"):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.bmp")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
        Image.fromarray(255 - pixels).save(tmp_path / "painted" / f"{name}.bmp")
    return open_data(f"folder:{tmp_path / 'photos'}")


def corrupted(text: str, model: VisionModel, data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    clean = data.images(range(4), SIZE)
    return clean, corruption(text).bind(model, data, range(4)).images(clean, range(4))


def test_the_object_or_the_background_is_filled_and_the_rest_unchanged(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    inside = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    inside[INSIDE] = True
    masks, painted = tmp_path / "masks", tmp_path / "painted"
    for name, filled in (("mask", inside), ("background", ~inside)):
        clean, mean = corrupted(f"{name}:{masks}", model, data)
        assert torch.equal(mean[:, :, ~filled], clean[:, :, ~filled])
        expected = clean.mean((2, 3))[:, :, None].expand_as(mean[:, :, filled])
        torch.testing.assert_close(mean[:, :, filled], expected)
        assert torch.equal(corrupted(f"{name}:{masks}:mean", model, data)[1], mean)
        _, other = corrupted(f"{name}:{masks}:{painted}", model, data)
        torch.testing.assert_close(other[:, :, filled], 1 - clean[:, :, filled])
        assert torch.equal(other[:, :, ~filled], clean[:, :, ~filled])
        _, blurred = corrupted(f"{name}:{masks}:blur", model, data)
        assert torch.equal(blurred[:, :, ~filled], clean[:, :, ~filled])
        assert blurred[:, :, filled].std() < clean[:, :, filled].std() / 2


def test_a_mask_is_cropped_as_its_image(model: VisionModel, data: Dataset, tmp_path: Path) -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, 100:] = 255  # an object as wide as the right half
    Image.fromarray(pixels).save(tmp_path / "photos" / "a" / "0.bmp")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "masks" / "a" / "0.png")
    clean, filled = corrupted(f"background:{tmp_path / 'masks'}", model, data)
    torch.testing.assert_close(filled[0, :, :, 34:], clean[0, :, :, 34:])
    assert (filled[0, :, :, :30] > 0.4).all()


def test_a_missing_damaged_or_unfit_mask_is_named_and_nothing_is_made(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    masks, file = tmp_path / "masks", tmp_path / "masks" / "b" / "3.png"
    settings = Settings(Selection("attn"), corruption(f"mask:{masks}"))

    def message() -> str:
        with pytest.raises(FeatvizError) as caught:
            trace_to_store(model, data, settings, tmp_path / "s", all_images=True)
        assert not (tmp_path / "s").exists()
        return str(caught.value)

    Image.new("L", (SIZE, 32)).save(file)
    image = tmp_path / "photos" / "b" / "3.bmp"
    assert message() == f"{file} is 64 x 32 pixels, but its image {image} is 64 x 64"
    file.write_bytes(b"no image")
    assert message().startswith(f"{file} cannot be read as an image")
    Image.new("L", (SIZE, SIZE), 2).save(file)
    assert message() == (
        f"{file} is dark, 2 of 255 at most: a mask must be white where the object is"
    )
    file.unlink()
    assert message() == f"there is no file {file} for the image b/3.bmp"
    with pytest.raises(FeatvizError, match="cueworld has no image files to find masks by"):
        corruption(f"mask:{masks}").bind(model, open_data("cueworld"), [0])


def test_a_mask_of_two_images_is_refused(model: VisionModel, data: Dataset, tmp_path: Path) -> None:
    image = Image.open(tmp_path / "photos" / "a" / "0.bmp")
    image.save(tmp_path / "photos" / "a" / "0.png")
    twins = open_data(f"folder:{tmp_path / 'photos'}")
    with pytest.raises(FeatvizError, match=r"0\.png belongs to two images, .*0\.bmp and .*0\.png"):
        corruption(f"mask:{tmp_path / 'masks'}").bind(model, twins, range(5))


def test_the_digest_of_masks_changes_with_any_byte(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    for file in (tmp_path / "masks").rglob("*.png"):
        Image.open(file).resize((SIZE, SIZE)).save(file.with_suffix(".bmp"))
        file.unlink()
    text = f"mask:{tmp_path / 'masks'}"
    before = corruption(text).bind(model, data, range(4)).files
    file = tmp_path / "masks" / "a" / "0.bmp"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    assert corruption(text).bind(model, data, range(4)).files != before


@pytest.mark.filterwarnings("ignore:ViT classifies")
def test_a_job_is_not_resumed_with_other_masks(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    settings = Settings(Selection("attn"), corruption(f"mask:{tmp_path / 'masks'}"))

    def trace() -> int:
        return trace_to_store(model, data, settings, tmp_path / "s", all_images=True).stored

    assert (trace(), trace()) == (4, 0)
    table = read_traces(tmp_path / "s")
    assert abs(table.total).max() > 0
    Image.new("L", (SIZE, SIZE)).save(tmp_path / "masks" / "a" / "0.png")
    with pytest.raises(FeatvizError, match="has traces of another configuration: masks is"):
        trace()
    assert len(Store(tmp_path / "s").addresses("traces")) == 4
