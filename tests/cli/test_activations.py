from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import featviz
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.cli.running import Run

SELECTORS = ("blocks.1.mlp.fc1:0-2", "patch_embed:5@7")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three images of the model's size."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), np.uint8)
    paths = [folder / f"{name}.png" for name in "abc"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_values_of_files_are_those_of_the_readout(
    run: Run, vit: VisionModel, images: list[Path]
) -> None:
    units = featviz.units(vit, *SELECTORS)
    stacked = np.stack([np.asarray(Image.open(path)) for path in images])
    expected = featviz.readout(vit, units)(torch.from_numpy(stacked).permute(0, 3, 1, 2) / 255)
    result = run("activations", "cueworld/vit", *SELECTORS, "--image", *images, "--json")
    found = json.loads(result.out)
    assert [(row["image"], row["address"]) for row in found] == [
        (str(path), str(unit)) for path in images for unit in units
    ]
    got = np.array([row["activation"] for row in found]).reshape(3, len(units))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert (result.status, result.err) == (0, "")


def test_the_table_has_a_row_for_each_unit_and_a_column_for_each_file(
    run: Run, images: list[Path]
) -> None:
    result = run("activations", "cueworld/vit", *SELECTORS, "--image", *images)
    heading, *rows = (line.split() for line in result.out.splitlines())
    assert heading == ["unit", "a.png", "b.png", "c.png"]
    assert [row[0] for row in rows] == [
        *(f"blocks.1.mlp.fc1:{number}" for number in range(3)),
        "patch_embed:5@7",
    ]
    assert all(len(row) == 4 and [float(cell) for cell in row[1:]] for row in rows)


@pytest.mark.parametrize(
    "line",
    [
        "cueworld/vit patch_embed:0 --image A B C",
        "cueworld/vit patch_embed:0 --image A B --image C",
        "cueworld/vit patch_embed:0 --image A --image=B --image C --json",
        "cueworld/vit patch_embed:0 --image A B C --device cpu",
        "--image A --image B --image C cueworld/vit patch_embed:0",
        "cueworld/vit --image A --image B --image C patch_embed:0",
        "--image A cueworld/vit patch_embed:0 --image B C",
        "--device cpu cueworld/vit --image A patch_embed:0 --image B C",
    ],
)
def test_one_image_option_takes_several_files(run: Run, images: list[Path], line: str) -> None:
    files = dict(zip("ABC", map(str, images), strict=True))
    words = ["=".join(files.get(part, part) for part in word.split("=")) for word in line.split()]
    result = run("activations", *words, *([] if "--json" in words else ["--json"]))
    assert [row["image"] for row in json.loads(result.out)] == [str(path) for path in images]


def test_a_rendered_picture_saved_as_png_has_its_stored_activation(
    run: Run, tmp_path: Path
) -> None:
    store, address = tmp_path / "store", "blocks.1.mlp.fc1:3"
    assert run("render", "cueworld/vit", address, "-o", store, "--steps", 4).status == 0
    row = Store(store).row(address)
    Image.fromarray(row["images"][0]).save(tmp_path / "picture.png")
    result = run(
        "activations", "cueworld/vit", address, "--image", tmp_path / "picture.png", "--json"
    )
    (found,) = json.loads(result.out)
    assert found["activation"] == pytest.approx(float(row["activation"][0]), rel=1e-5)


def test_a_missing_file_is_named(run: Run, tmp_path: Path) -> None:
    words = ("activations", "cueworld/vit", "patch_embed:0", "--image", tmp_path / "no.png")
    assert "there is no file" in run(*words).refusal()


def test_a_file_that_is_not_an_image_is_named_on_one_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.png"
    path.write_text("no image")
    words = ("activations", "cueworld/vit", "patch_embed:0", "--image", path)
    assert "two lines.png cannot be read as an image" in run(*words).refusal()


def test_nothing_is_printed_if_one_of_the_files_is_damaged(
    run: Run, images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(images[0].read_bytes()[:200])
    words = ("activations", "cueworld/vit", "patch_embed:0", "--image", images[0])
    assert "bad.png" in run(*words, tmp_path / "bad.png").refusal()


def test_at_least_one_image_is_required(run: Run) -> None:
    assert "--image" in run("activations", "cueworld/vit", "patch_embed:0").refusal(2)
