"""`featviz units`, and wrong names of models and units."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import featviz
from featviz.models.vision_model import VisionModel
from tests.cli.running import Run


def test_sites_that_differ_only_in_numbers_share_a_line(run: Run, vit: VisionModel) -> None:
    heading, *rows = run("units", "cueworld/vit").out.splitlines()
    assert heading.split() == ["site", "units", "positions", "grid", "prefix"]
    assert len(rows) == 18
    patterns = [row.split()[0] for row in rows]
    assert (patterns[0], patterns[1], patterns[-1]) == (
        "patch_embed",
        "blocks.0-11.resid_pre",
        "head",
    )
    # Each is a selector of the sites that it stands for, with the same number of units.
    found = {
        unit.site
        for pattern in patterns
        for unit in featviz.units(
            vit,
            f"{pattern}:0.0"
            if pattern.endswith("qk_mode")
            else f"{pattern}:0@same"
            if pattern.endswith("qk")
            else f"{pattern}:0",
        )
    }
    assert found == set(vit.sites)


def test_every_site_is_in_json(run: Run, vit: VisionModel) -> None:
    listed = json.loads(run("units", "cueworld/vit", "--json").out)
    assert [site["path"] for site in listed] == list(vit.sites)
    first = listed[0]
    assert first == {
        "path": "patch_embed",
        "width": vit.sites["patch_embed"].width,
        "positions": 64,
        "grid": [8, 8],
        "prefix": 0,
    }


def test_selectors_are_expanded_as_in_python(run: Run, vit: VisionModel) -> None:
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
def test_a_wrong_model_name_is_refused_with_similar_names(run: Run, model: str, says: str) -> None:
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
