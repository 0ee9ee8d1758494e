"""Images above Pillow's limit on the number of pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.running import Run


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    Image.new("RGB", (30, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    return "activations", "cueworld/vit", "patch_embed:0", "--image", tmp_path / "a.png"


def test_an_image_above_twice_the_limit_is_refused_without_the_option(
    run: Run, words: tuple[object, ...]
) -> None:
    assert "900 pixels" in (line := run(*words).refusal())
    assert "`featviz --large-images COMMAND ...` reads it" in line
    assert run("--large-images", *words).status == 0
    # Only for this command.
    assert Image.MAX_IMAGE_PIXELS == 400


@pytest.mark.filterwarnings("default")
def test_an_image_above_the_limit_is_read_with_one_line(
    run: Run, words: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    result = run(*words)
    assert result.status == 0
    (line,) = result.err.splitlines()
    assert line.startswith("Warning: Image size (900 pixels) exceeds limit of 600 pixels")
    assert run("--large-images", *words).err == ""
