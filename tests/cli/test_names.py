"""`featviz models` and `featviz units`, and every wrong name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import featviz
from featviz.models.registry import known_models
from featviz.models.vision_model import VisionModel
from tests.cli.running import Run


def test_models_lists_every_known_name_one_a_line(run: Run) -> None:
    result = run("models")
    assert result.out.splitlines() == known_models()
    assert json.loads(run("models", "--json").out) == known_models()
    assert (result.status, result.err) == (0, "")


def test_units_without_a_selector_lists_the_sites(run: Run, vit: VisionModel) -> None:
    heading, *rows = run("units", "cueworld/vit").out.splitlines()
    assert heading.split() == ["site", "units", "positions", "grid", "prefix"]
    assert [row.split()[0] for row in rows] == list(vit.sites)
    first = json.loads(run("units", "cueworld/vit", "--json").out)[0]
    assert first == {
        "path": "patch_embed",
        "width": vit.sites["patch_embed"].width,
        "positions": 64,
        "grid": [8, 8],
        "prefix": 0,
    }


def test_units_expands_selectors_as_the_library_does(run: Run, vit: VisionModel) -> None:
    selectors = ("blocks.0-1.mlp.fc1:0,3@cls", "blocks.2.mlp.fc1:1@1-2", "head:all")
    expected = [str(unit) for unit in featviz.units(vit, *selectors)]
    result = run("units", "cueworld/vit", *selectors)
    assert result.out.splitlines() == expected
    assert json.loads(run("units", "cueworld/vit", *selectors, "--json").out) == expected


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("cueworld/vitt", "cueworld/vit"),
        ("deit_smal_patch16_224", "deit_small_patch16_224"),
        ("./nowhere", "there is no file or folder"),
        ("nowhere.pth", "there is no file or folder"),
        ("", "featviz models"),
    ],
)
def test_a_wrong_model_gets_the_nearest_right_ones(run: Run, model: str, says: str) -> None:
    assert says in run("units", model).refusal()


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("blocks.0.mlp.fc3:0", "blocks.0.mlp.fc1"),
        ("blocks.12.mlp.fc1:0", "blocks.11.mlp.fc1"),
        ("blocks.0-12.mlp.fc1:0", "0-11"),
        ("blocks.0.mlp:0", "blocks.0.mlp.fc1"),
        ("head:18", "0-17"),
        ("head:0@0", "has no token axis"),
        ("blocks.0.mlp.fc1:0@65", "0-64"),
        ("patch_embed:0@cls", "no class token"),
        ("patch_embed:5-2", "2-5"),
        ("patch_embed", "looks like"),
        ("patch_embed:", "looks like"),
        ("patch_embed:0@", "looks like"),
        ("patch_embed:x", "0-15"),
    ],
)
@pytest.mark.parametrize("command", ["units", "render", "activations"])
def test_a_wrong_selector_is_refused_with_what_is_right(
    run: Run, tmp_path: Path, command: str, selector: str, says: str
) -> None:
    more: dict[str, list[object]] = {
        "units": [],
        "render": ["-o", tmp_path / "s"],
        "activations": ["--image", "a.png"],
    }
    assert says in run(command, "cueworld/vit", selector, *more[command]).refusal()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02}."])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_an_unreadable_checkpoint_is_refused(
    run: Run, tmp_path: Path, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    assert path.name in run("units", path, "--arch", "test_vit").refusal()
    assert path.read_bytes() == content


def test_weights_of_another_architecture_are_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"odd": torch.zeros(3)}, path)
    assert "1 unexpected: odd" in run("units", path, "--arch", "test_vit").refusal()
    assert "--arch" in run("units", path).refusal()
