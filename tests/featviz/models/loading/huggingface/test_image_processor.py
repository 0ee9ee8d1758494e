from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from featviz.errors import FeatvizError
from featviz.models.loading.huggingface.image_processor import (
    CLIP,
    HALF,
    IMAGENET,
    pixel_statistics,
)
from featviz.models.vision_model import VisionModel

ORACLES = Path(__file__).parents[4] / "oracles" / "huggingface" / "processors"


def write(folder: Path, name: str = "preprocessor_config", **entries: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(entries))


@pytest.mark.parametrize(
    "case", ["as_usual", "rescaled_to_two", "not_rescaled", "not_normalized", "as_they_are"]
)
def test_pixels_are_those_of_the_original(case: str) -> None:
    expected = load_file(ORACLES / case / "expected.safetensors")
    mean, std = pixel_statistics(ORACLES / case, IMAGENET)
    model = VisionModel(case, torch.nn.Identity(), 4, mean, std)
    pixels = model.normalize(expected["images"].float() / 255)
    torch.testing.assert_close(pixels, expected["pixels"], rtol=1e-5, atol=1e-5)


def test_without_an_image_processor_the_statistics_are_those_of_the_family(tmp_path: Path) -> None:
    assert pixel_statistics(tmp_path, IMAGENET) == IMAGENET


def test_the_usual_rescaling_leaves_the_statistics_exactly_as_they_are(tmp_path: Path) -> None:
    write(
        tmp_path,
        rescale_factor=0.00392156862745098,
        image_mean=[0.1, 0.2, 0.3],
        image_std=[0.7] * 3,
    )
    assert pixel_statistics(tmp_path, HALF) == ((0.1, 0.2, 0.3), (0.7, 0.7, 0.7))


def test_the_nested_processor_takes_precedence(tmp_path: Path) -> None:
    write(tmp_path, image_mean=[0.9] * 3, image_std=[0.9] * 3)
    nested = {"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "rescale_factor": 2 / 255}
    write(tmp_path, "processor_config", processor_class="CLIPProcessor", image_processor=nested)
    assert pixel_statistics(tmp_path, HALF) == ((0.05,) * 3, (0.1,) * 3)


def test_a_processor_without_images_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "processor_config", processor_class="CLIPProcessor")
    assert pixel_statistics(tmp_path, CLIP) == CLIP
    write(tmp_path, image_mean=[0.9] * 3, image_std=[0.8] * 3)
    assert pixel_statistics(tmp_path, CLIP) == ((0.9,) * 3, (0.8,) * 3)


@pytest.mark.parametrize(
    ("kind", "statistics"),
    [
        ({"image_processor_type": "ViTImageProcessor"}, HALF),
        ({"image_processor_type": "SiglipImageProcessorFast"}, HALF),
        ({"image_processor_type": "CLIPImageProcessor"}, CLIP),
        ({"feature_extractor_type": "CLIPFeatureExtractor"}, CLIP),
        ({"image_processor_type": "BitImageProcessorFast"}, CLIP),
        ({"image_processor_type": "DINOv3ViTImageProcessorFast"}, IMAGENET),
        ({}, HALF),
    ],
)
def test_statistics_that_the_file_lacks_are_those_of_the_class(
    tmp_path: Path, kind: dict[str, str], statistics: object
) -> None:
    write(tmp_path, do_normalize=True, **kind)
    assert pixel_statistics(tmp_path, IMAGENET) == statistics


def test_one_number_is_for_all_channels(tmp_path: Path) -> None:
    write(tmp_path, image_mean=0.25, image_std=2)
    assert pixel_statistics(tmp_path, HALF) == ((0.25,) * 3, (2.0,) * 3)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ({"image_mean": [0.5]}, r"image_mean must be three numbers for .*, got 1$"),
        ({"image_mean": ["0.5"] * 3}, r"image_mean must be a number, got '0\.5'$"),
        ({"image_std": [0.5, 0, 0.5]}, r"image_std is \[0\.5, 0, 0\.5\], not three positive"),
        ({"rescale_factor": 0}, r"rescale_factor is 0, not a positive number"),
        ({"rescale_factor": "1/255"}, r"rescale_factor is '1/255', not a number"),
        ({"do_flip_channel_order": True}, r"do_flip_channel_order is True, not false: .* RGB"),
        ({"do_grayscale": True}, r"do_grayscale is True, not false"),
        ({"rescale_offset": True}, r"rescale_offset is True, not false"),
    ],
)
def test_what_is_no_scaling_of_each_channel_is_refused(
    tmp_path: Path, entries: dict[str, Any], complaint: str
) -> None:
    write(tmp_path, **entries)
    with pytest.raises(FeatvizError, match=complaint) as caught:
        pixel_statistics(tmp_path, HALF)
    assert "preprocessor_config.json" in str(caught.value)
    write(tmp_path, "processor_config", image_processor=entries)
    with pytest.raises(FeatvizError, match=r"processor_config\.json: image_processor\.") as caught:
        pixel_statistics(tmp_path, HALF)
    assert "\n" not in str(caught.value)
