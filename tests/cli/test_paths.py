"""Words of a command line that name files and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from cli.main import featviz
from cli.paths import SELECTOR, ModelText, PathText
from tests.cli.running import Run, tree

TEXT_TYPES = (type(click.STRING), PathText, ModelText)

TEXTS = {
    *(
        "corrupt",
        "data",
        "device",
        "difference",
        "heads",
        "include",
        "layers",
        "region",
        "selectors",
        "site",
        "sites",
    ),
    *("spectrum", "tokens", "window"),
}
"""Parameters of any command that are neither a path nor the name of a model. Paths of datasets are
expanded by `featviz.data.datasets.open_data`."""


def parsed(command: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Parse words as a command does, without running it."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(
        featviz.commands[command], "callback", lambda **values: found.update(values)
    )
    featviz.main([command, *words], standalone_mode=False)
    return found


def test_the_home_folder_is_expanded_in_every_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    found = set()
    for name, command in featviz.commands.items():
        context = click.Context(command)
        for parameter in command.params:
            if parameter.name in TEXTS or not isinstance(parameter.type, TEXT_TYPES):
                continue
            values = parameter.type.convert("~/a b", parameter, context)
            assert values == "/home/ada/a b", f"{name} {parameter.name}"
            found.add((name, parameter.name))
    assert found >= {("validate", "model"), ("compare", "model_b"), ("gallery", "stores")}


@pytest.mark.parametrize("option", ["-o=~/site", "--output=~/site", "-o~/site"])
def test_the_home_folder_is_expanded_after_an_equals_sign(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parsed("gallery", ["store", option], monkeypatch)["folder"] == "/home/ada/site"


def test_a_model_may_end_with_the_slash_that_a_shell_appends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for word, model in (("cueworld/vit/", "cueworld/vit"), ("/", "/")):
        assert parsed("units", [word], monkeypatch)["model"] == model


@pytest.mark.parametrize(
    "command", ["render", "activations", "units", "modes", "grid", "attention"]
)
def test_a_selector_in_the_place_of_the_model_is_named_with_the_right_order(
    run: Run, command: str
) -> None:
    refusal = run(command, "blocks.9.mlp.fc1:0", "cueworld/vit").refusal(2)
    assert "blocks.9.mlp.fc1:0 is a SELECTOR; MODEL comes first" in refusal
    assert f"featviz {command} cueworld/vit blocks.9.mlp.fc1:0" in refusal


def test_only_selectors_look_like_selectors() -> None:
    selectors = (
        "head:5 head:3+-0.5~head:7 blocks.0-4.mlp.fc1:0-199@1-23 blocks.all.attn.qk:all@same "
        "patch_embed:all blocks.9.mlp.fc1:1,4@cls blocks.2.attn.qk_mode:0.0-3"
    )
    models = (
        "cueworld/vit resnet18 resnet18.a1_in1k hf-hub:timm/resnet18.a1_in1k hf-hub:01-ai/vit "
        "py:package.module:function local-dir:/models/vit ./weights.pth C:\\vit"
    )
    assert all(SELECTOR.fullmatch(each) for each in selectors.split())
    assert not [each for each in models.split() if SELECTOR.fullmatch(each)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["render", "cueworld/vit", "-o", "{}/o"], "One or more units, as LAYER:UNITS"),
        (
            ["render", "cueworld/vit", "patch_embed:0", "-o", ""],
            "expected a path, got an empty text",
        ),
        (
            ["activations", "cueworld/vit", "head:0", "--image", "{}"],
            "is a folder; expected a file",
        ),
        (["gallery", "{}", "-o", "{}/o", "--labels", "{}"], "is a folder; expected a file"),
    ],
)
def test_a_word_that_is_missing_or_of_another_kind_is_named(
    run: Run, words: list[str], says: str, tmp_path: Path
) -> None:
    assert says in run(*(word.format(tmp_path) for word in words)).refusal(2)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("command", ["filters", "gallery", "pack", "demo"])
def test_results_cannot_go_into_a_file_or_under_a_name_that_is_too_long(
    run: Run, command: str, neurons: Path, tmp_path: Path
) -> None:
    before: dict[str, list[object]] = {
        "filters": ["cueworld/vit", "-o"],
        "gallery": [neurons, "-o"],
        "pack": [neurons],
        "demo": ["-o"],
    }
    words = before[command]
    (tmp_path / "file").write_text("mine")
    refusal = run(command, *words, tmp_path / "file" / "folder" / "x").refusal()
    assert f"{tmp_path}/file is a file" in refusal
    assert "File name too long" in run(command, *words, tmp_path / ("n" * 260)).refusal()
    assert (tmp_path / "file").read_text() == "mine"
    assert list(tree(tmp_path)) == ["file"]


@pytest.mark.parametrize("command", ["info", "verify", "score", "validate", "render", "gallery"])
def test_any_name_that_is_too_long_is_one_line(run: Run, command: str, tmp_path: Path) -> None:
    words: dict[str, list[object]] = {
        "validate": ["--data", "cueworld"],
        "gallery": ["-o", tmp_path / "site"],
    }
    more = words.get(command, [])
    if command == "render":
        more = ["patch_embed:0", "-o", tmp_path / "o"]
    assert len(run(command, "n" * 260, *more).refusal()) < 500
    assert tree(tmp_path) == {}
