from __future__ import annotations

import os
import signal
import subprocess
import sys

import click
import pytest

from cli.main import featviz, main, status
from tests.cli.running import Run

COMMANDS = [
    "activations",
    "attention",
    "compare",
    "demo",
    "examples",
    "filters",
    "gallery",
    "gradients",
    "grid",
    "info",
    "models",
    "modes",
    "pack",
    "render",
    "score",
    "tokens",
    "trace",
    "units",
    "validate",
    "verify",
]


def test_the_commands_are_these() -> None:
    assert sorted(featviz.commands) == COMMANDS


@pytest.mark.parametrize("module", ["cli.main", "cli.gallery", "cli.stores"])
def test_what_only_reads_stores_does_not_load_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_command_explains_itself(run: Run) -> None:
    for name in COMMANDS:
        result = run(name, "--help")
        assert (result.status, result.err) == (0, "")
        assert f"featviz {name}" in result.out
        assert result.out == run(name, "-h").out


def test_the_help_names_every_command_and_exit_status(run: Run) -> None:
    text = run("--help").out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert "0 done, 1 error, 2 wrong usage, 3 finished but some units failed" in " ".join(
        text.split()
    )


def test_no_word_at_all_shows_the_help(run: Run) -> None:
    result = run()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: featviz")
    assert len(result.err.splitlines()) > 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rendr"], "render"),
        (["xyzzy"], "there are activations, attention"),
        (["--jsn", "models"], "--jsn"),
        (["models", "--jsn"], "--json"),
        (["models", "more"], "more"),
        (["render", "cueworld/vit", "patch_embed:0"], "-o"),
        (["render"], "MODEL"),
        (["gallery", "-o", "site"], "STORE"),
        (["pack", "store"], "FILE.h5"),
    ],
)
def test_wrong_usage_costs_one_line_and_status_2(run: Run, words: list[str], says: str) -> None:
    assert says in run(*words).refusal(2)


def test_main_exits_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["featviz", "rendr"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2


def test_ctrl_c_in_any_command_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(featviz.commands["models"], "callback", interrupted)
    result = run("models")
    assert (result.status, result.out) == (130, "")
    assert result.err.startswith("\ninterrupted; ")


@pytest.mark.parametrize("words", [["models"], ["info", "--help"]])
def test_a_reader_that_goes_away_is_no_error(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert status(words) == 0
    assert capsys.readouterr().err == ""


def test_every_option_and_argument_is_explained() -> None:
    for command in featviz.commands.values():
        assert command.help
        for option in command.params:
            named = isinstance(option, click.Argument) or option.name == "precision"
            assert named or getattr(option, "help", None), f"{command.name} --{option.name}"
