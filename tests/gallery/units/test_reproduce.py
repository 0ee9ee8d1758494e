from __future__ import annotations

import dataclasses
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli.main import featviz
from cli.render import render
from featviz.optimization.recipe import Recipe
from featviz.optimization.settings import KEYS
from featviz.store.reader import Store
from gallery.units.reproduce import render_command
from tests.gallery.made_stores import SETTINGS

TRAINED = {"untrained": False, "arch": None}
printable = st.text(min_size=1).filter(lambda t: t.isprintable() and not t.startswith("-"))


def command(model: str, address: str, load: Any = None, settings: Any = None) -> str | None:
    return render_command(model, address, load or TRAINED, settings or SETTINGS)


def options(words: list[str]) -> dict[str, str]:
    return {words[i].removeprefix("--"): words[i + 1] for i in range(6, len(words), 2)}


def test_the_command_names_every_option_of_the_configuration_and_no_other_setting() -> None:
    line = command("cueworld/vit", "blocks.3.mlp.fc1:42@7")
    assert line is not None
    words = shlex.split(line)
    assert words[:5] == ["featviz", "render", "cueworld/vit", "blocks.3.mlp.fc1:42@7", "-o"]
    given = {
        name.replace("_", "-"): str(SETTINGS[key]) for name, key in KEYS.items() if key in SETTINGS
    }
    assert options(words) == given


def test_every_setting_that_the_command_line_takes_is_given() -> None:
    settings = {field.name for field in dataclasses.fields(Recipe)}
    assert settings & {option.name for option in render.params} == KEYS.keys()


@pytest.mark.parametrize(
    ("unit", "kind", "flags"),
    [("patch_embed:3", "renders", []), ("blocks.1.attn.qk:0@same", "sides", ["--split-qk"])],
)
def test_the_command_makes_the_same_picture_again(
    unit: str, kind: str, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    job = f"render cueworld/vit {unit} -o first --samples 2 --diversity 0.3 --steps 3"
    job += f" --preset naive --param fourier --seed 5 {' '.join(flags)}"
    assert runner.invoke(featviz, [*job.split(), "--device", "cpu"]).exit_code == 0
    first = Store("first")
    line = render_command("cueworld/vit", unit, first.load, first.configuration[kind], flags)
    words = shlex.split(line or "")
    assert runner.invoke(featviz, [*words[1:], "--device", "cpu"]).exit_code == 0
    again = Store(words[words.index("-o") + 1])
    assert again.configuration == first.configuration
    pictures = [store.row(unit, kind)["images"] for store in (first, again)]
    assert np.array_equal(*pictures)


def test_an_option_that_was_not_given_is_left_out() -> None:
    line = command("m", "head:5", settings={**SETTINGS, "size": None})
    assert line is not None
    assert "--size" not in line


@given(printable, printable)
def test_quoting_survives_the_shell_for_any_printable_name(model: str, address: str) -> None:
    line = command(model, address)
    assert line is not None
    assert shlex.split(line)[2:4] == [model, address]


def test_a_real_shell_runs_nothing_that_a_name_says() -> None:
    nasty = "$(touch x)`id`;'\"\\ & | > * ~ #é"
    line = command(nasty, nasty, load={"untrained": True, "arch": nasty})
    assert line is not None
    shell = ["sh", "-c", f'set -- {line}; for word; do printf "%s\\n" "$word"; done']
    said = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[2:4] == [nasty, nasty]
    assert said[-3:] == ["--untrained", "--arch", nasty]


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[201~b", "a\u202eb", "a\u2028b", "--force", "-o"])
def test_no_command_is_offered_for_a_name_that_acts_on_a_terminal_or_as_an_option(
    name: str,
) -> None:
    assert command(name, "head:5") is None
    assert command("m", name) is None


def test_each_configuration_is_rendered_again_into_a_store_of_its_own() -> None:
    one, same, other = (
        shlex.split(command("m", unit, settings={**SETTINGS, "seed": seed}) or "")[5]
        for unit, seed in (("head:1", 0), ("head:2", 0), ("head:1", 1))
    )
    assert one == same
    assert one != other
