from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import featviz
from featviz._util.image_files import read_image
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.cli.running import Run, tree

UNITS = ("blocks.2.attn.qk:0@q20.k30", "blocks.1.attn.qk:1@same")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    paths = [folder / f"{name}.png" for name in "ab"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_logits_are_those_of_the_images_and_norms_those_of_the_maps(
    run: Run, vit: VisionModel, images: list[Path], tmp_path: Path
) -> None:
    store = tmp_path / "s"
    result = run("gradients", "cueworld/vit", *UNITS, "--image", *images, "-o", store, "--json")
    assert (result.status, "2 units mapped, 0 were there" in result.err) == (0, True)
    found = json.loads(result.out)["gradients"]
    assert [(one["address"], one["image"]) for one in found] == [
        (unit, str(path)) for unit in UNITS for path in images
    ]
    readout = featviz.readout(vit, featviz.units(vit, *UNITS))
    for number, path in enumerate(images):
        values = readout(read_image(path, 128)[None])[0]
        for column, unit in enumerate(UNITS):
            told, row = found[2 * column + number], Store(store).row(unit, "gradients")
            assert told["activation"] == pytest.approx(float(values[column]), rel=1e-4, abs=1e-5)
            for side in ("query", "key"):
                assert row[side].shape == (2, 128, 128)
                squares = float((row[side][number].astype(float) ** 2).sum())
                assert told[side] == pytest.approx(squares**0.5, rel=1e-5)
                assert squares > 0
    before = tree(store)
    again = run("gradients", "cueworld/vit", *UNITS, "--image", *images, "-o", store)
    assert "0 units mapped, 2 were there" in again.err
    heading, *rows = (line.split() for line in again.out.splitlines())
    assert heading == ["unit", "image", "activation", "query", "key"]
    assert [row[:2] for row in rows] == [
        [unit, name] for unit in UNITS for name in ("a.png", "b.png")
    ]
    assert tree(store) == before


def test_mistakes_cost_one_line_and_no_store(run: Run, images: list[Path], tmp_path: Path) -> None:
    words = ("-o", tmp_path / "s", "--image")
    refusal = run("gradients", "cueworld/vit", "head:0", *words, images[0]).refusal()
    assert "head:0 has no query and key" in refusal
    refusal = run("gradients", "cueworld/vit", UNITS[0], *words, tmp_path / "no.png").refusal()
    assert "there is no file" in refusal
    assert not (tmp_path / "s").exists()


def test_other_images_need_a_store_of_their_own(
    run: Run, images: list[Path], tmp_path: Path
) -> None:
    words = ("gradients", "cueworld/vit", "blocks.0.attn.qk:0@q1.k2", "-o", tmp_path / "s")
    assert run(*words, "--image", images[0]).status == 0
    assert "--force" in run(*words, "--image", images[1]).refusal()
