"""The options of MODEL: how a model is loaded, on every command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from cli.main import featviz
from featviz.store.reader import Store
from gallery.units.reproduce import render_command
from tests.cli.running import Run

JOB = "render cueworld/vit head:3 --size 16 --steps 2"
FLAGS = ("--untrained", "--arch", "--image-size", "--mean", "--std", "--model-arg", "--sae")


def test_every_command_with_a_model_takes_the_options_for_loading_it() -> None:
    for name, command in featviz.commands.items():
        options = {flag for each in command.params for flag in each.opts}
        for argument, suffix in (("model", ""), ("model_a", "-a"), ("model_b", "-b")):
            if argument in options:
                assert {flag + suffix for flag in FLAGS} <= options, name
    donor = {flag for each in featviz.commands["trace"].params for flag in each.opts}
    assert {flag.replace("--", "--donor-") for flag in FLAGS} <= donor


def test_a_store_of_an_ordinary_model_records_what_it_always_did(neurons: Path) -> None:
    written = json.loads((neurons / "store.json").read_bytes())
    assert list(written) == [
        "format_version",
        "model",
        "fingerprint",
        "load",
        "sites",
        "configuration",
    ]
    assert list(written["load"].items()) == [("untrained", False), ("arch", None)]


def test_a_store_at_another_input_size_can_be_scored_and_rendered_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loading = "--image-size 64 --mean 0.4,0.5,0.6 --std 0.5,0.5,0.25"
    assert run(*f"{JOB} -o small {loading}".split()).status == 0
    assert run("score", "small").status == 0
    small = Store("small")
    assert small.load == {
        "untrained": False,
        "arch": None,
        "image_size": 64,
        "mean": [0.4, 0.5, 0.6],
        "std": [0.5, 0.5, 0.25],
    }
    line = render_command("cueworld/vit", "head:3", small.load, small.configuration["renders"])
    words = shlex.split(line or "")
    assert words[-6:] == loading.split()
    assert run(*words[1:]).status == 0
    again = Store(words[words.index("-o") + 1])
    assert np.array_equal(*(store.row("head:3")["images"] for store in (small, again)))


@pytest.mark.parametrize("loading", ["--image-size 64", "--mean 0.4,0.5,0.6", "--std 0.5,0.5,0.4"])
def test_a_store_takes_no_results_of_the_model_with_other_inputs(
    loading: str, run: Run, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    assert run(*JOB.split(), "-o", store).status == 0
    refusal = run(*JOB.split(), *loading.split(), "-o", store).refusal()
    assert "is of another model: " in refusal


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--image-size 224x196", "'--image-size': expected a side in pixels, such as 224"),
        ("--mean 0.5", "'--mean': expected R,G,B, such as 0.5,0.5,0.5, got '0.5'"),
        ("--model-arg avg", "'--model-arg': expected KEY=VALUE, such as global_pool=avg"),
    ],
)
def test_a_wrong_option_is_one_line(words: str, complaint: str, run: Run) -> None:
    assert complaint in run("units", "cueworld/vit", *words.split()).refusal(2)


def test_two_models_have_options_of_their_own(run: Run, tmp_path: Path) -> None:
    words = "compare cueworld/vit cueworld/vit head:3 --data cueworld:8 --steps 1 --size 16"
    store = tmp_path / "store"
    done = run(*words.split(), "--image-size-b", 64, "--std-b", "0.5,0.5,0.4", "-o", store)
    assert done.status == 0
    opened = Store(store)
    assert opened.load == {"untrained": False, "arch": None}
    other = opened.configuration["cka"]["other"]
    assert (other["image_size"], other["std"]) == (64, [0.5, 0.5, 0.4])
