"""Commands on a model that a function in the current folder makes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from featviz.store.reader import Store
from gallery.units.reproduce import render_command
from tests.cli.running import Run

NETS = """
import torch


def net():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 4, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1)
    )
    print("made")
    return module
"""
INPUTS = "--image-size 32 --mean .5,.5,.5 --std .5,.5,.5"
JOB = f"render py:own_nets:net 2:0-1 --steps 2 {INPUTS}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a function; its module is forgotten afterwards."""
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_nets", None)


def test_own_models_are_rendered_scored_resumed_and_rendered_again(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(*JOB.split(), "-o", "store", "--json")
    assert done.status == 0
    assert '"rendered": 2' in done.out
    assert "made" not in done.out
    assert '"done": 2' in run(*JOB.split(), "-o", "store", "--json").out
    store = Store("store")
    assert store.load["mean"] == [0.5, 0.5, 0.5]
    line = render_command(store.model, "2:0", store.load, store.configuration["renders"])
    words = shlex.split(line or "")
    assert run(*words[1:]).status == 0
    again = Store(words[words.index("-o") + 1])
    assert np.array_equal(*(each.row("2:0")["images"] for each in (store, again)))
    monkeypatch.chdir("/")
    sys.modules.pop("own_nets")
    assert run("score", folder / "store").status == 0


def test_a_store_of_an_own_model_whose_function_is_gone_says_so_in_one_line(
    run: Run, folder: Path
) -> None:
    assert run(*JOB.split(), "-o", "store").status == 0
    sys.modules.pop("own_nets")
    (folder / "own_nets.py").rename(folder / "other.py")
    refusal = run("score", "store").refusal()
    assert "cannot load the model of store: py:own_nets:net: there is no module own" in refusal
    assert run("score", "store", "--model", "py:other:net").status == 0


@pytest.mark.slow
def test_ray_workers_import_own_models_from_their_folder(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    words = [*JOB.split(), "-o", "store", "--engine", "ray", "--workers", "1"]
    main = "from cli.main import main; main()"
    subprocess.run([sys.executable, "-c", main, *words], check=True, env=environment, cwd=folder)
    assert Store("store").addresses() == ["2:0", "2:1"]
