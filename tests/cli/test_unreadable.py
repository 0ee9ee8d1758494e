"""Images that cannot be read: every command with --data names them, or leaves them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featviz import cueworld
from featviz.store.reader import Store
from tests.cli.running import Run, tree

COMMANDS = {
    "examples": ("examples", "cueworld/vit", "blocks.0.mlp.fc1:0"),
    "attention": ("attention", "cueworld/vit", "blocks.0.attn.qk:0"),
    "traces": ("trace", "cueworld/vit", "--corrupt", "swap", "--layers", "11"),
    "cka": ("compare", "cueworld/vit", "cueworld/vit", "head:0", "--steps", "1"),
}
"""Commands by a kind of result that they store."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eighteen images of nine classes, the tenth and the last of which cannot be read."""
    drawn = cueworld.draw(36, seed=1, size=128)
    for index in range(18):
        label = int(drawn.labels[index]) // 2
        path = tmp_path / "photos" / cueworld.CLASSES[label] / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = (drawn.images[index].permute(1, 2, 0).numpy() * 255).round()
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    for path in damaged(tmp_path / "photos"):
        path.write_bytes(path.read_bytes()[:100])
    return tmp_path / "photos"


def damaged(photos: Path) -> list[Path]:
    files = sorted(photos.rglob("*.png"))
    return [files[9], files[17]]


@pytest.mark.filterwarnings("default")  # of an accuracy of 1/9
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_names_all_unreadable_images_stores_nothing_and_runs_without_them(
    run: Run, photos: Path, tmp_path: Path, kind: str
) -> None:
    store = tmp_path / "s"
    words = (*COMMANDS[kind], "--data", f"folder:{photos}", "-o", store)
    words = (*words, "--all-images") if kind == "traces" else words
    line = run(*words).refusal()
    assert f"2 of 18 images of folder:{photos} cannot be read" in line
    assert all(str(path) in line for path in damaged(photos))
    assert not store.exists()

    names = [str(path.relative_to(photos)) for path in damaged(photos)]
    left_out = run(*words, "--skip-unreadable")
    assert left_out.status == 0, left_out.err
    assert f"unreadable: 2 images are left out: {', '.join(names)}" in left_out.err
    settings = Store(store).configuration[kind]
    assert settings["images"] == 16
    assert settings["unreadable"] == {"9": names[0], "17": names[1]}

    before = tree(store)
    again = run(*words)  # the store knows what was left out
    assert again.status == 0, again.err
    assert " 0 " in again.err
    assert tree(store) == before


def test_after_unreadable_images_are_deleted_the_same_command_runs(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    words = (*COMMANDS["attention"], "--data", f"folder:{photos}", "-o", tmp_path / "s")
    run(*words).refusal()
    for path in damaged(photos):
        path.unlink()
    result = run(*words)
    assert result.status == 0, result.err
    assert Store(tmp_path / "s").configuration["attention"]["images"] == 16


def test_scores_paths_and_tests_leave_out_the_same_images(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    store, data = tmp_path / "s", f"folder:{photos}"
    run("render", "cueworld/vit", "blocks.0.mlp.fc1:0", "-o", store, "--steps", "1")
    line = run("score", store, "--data", data).refusal()
    assert "2 of 18 images" in line
    assert "--skip-unreadable" in line
    run("examples", "cueworld/vit", "--data", data, "-o", store, "--skip-unreadable")
    validated = run("validate", store, "--data", data, "--skip-unreadable")
    assert validated.err.count("unreadable: 2 images are left out: ") == 1  # of the scores
    assert "1 units scored" in validated.err
    assert "1 paths computed" in validated.err
    configuration = Store(store).configuration
    for kind in ("examples", "scores", "paths"):
        assert configuration[kind]["unreadable"].keys() == {"9", "17"}


def test_a_spectrum_of_unreadable_images_is_refused_without_an_option_that_does_not_exist(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    line = run(
        *("render", "cueworld/vit", "head:0", "-o", tmp_path / "s", "--steps", "1"),
        *("--param", "maco", "--spectrum", f"folder:{photos}"),
    ).refusal()
    assert "2 of 18 images" in line
    assert line.endswith("; replace or remove them")
