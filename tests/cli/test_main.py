from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.group import ARGUMENTS
from cli.main import SECTIONS, featviz, main, status
from cli.progress import loading_pytorch
from tests.cli.running import Run
from tests.gallery.made_stores import write_store

COMMANDS = [
    "activations",
    "attention",
    "attribute",
    "circuit",
    "compare",
    "demo",
    "examples",
    "export",
    "filters",
    "gallery",
    "gradients",
    "grid",
    "info",
    "logits",
    "models",
    "modes",
    "pack",
    "render",
    "sae",
    "score",
    "tokens",
    "trace",
    "units",
    "validate",
    "verify",
]

HEAVY = ("torch", "torchvision", "timm", "scipy", "sklearn", "matplotlib", "ray")
IMPORTED = f"""
import sys
from cli.main import status
code = status(sys.argv[2:])
heavy = {HEAVY} + tuple(filter(None, sys.argv[1].split(",")))
found = [name for name in heavy if name in sys.modules]
sys.exit(f"imported {{found}}" if found else code)
"""


def run_light(words: list[str], *more: str) -> None:
    """Run a command in a new process, in which it must not import `HEAVY` modules or these."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, ",".join(more), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_commands_are_these() -> None:
    assert sorted(featviz.commands) == COMMANDS


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_imports_no_heavy_module(words: list[str]) -> None:
    run_light([*words, "--help"], "numpy", "h5py", "PIL", "tqdm")


@pytest.mark.parametrize("command", ["info", "verify", "pack", "gallery", "export"])
def test_commands_that_read_stores_import_no_heavy_module(command: str, tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", ["head:0", "head:1"]).path
    more = {
        "pack": [str(tmp_path / "all.h5")],
        "gallery": ["-o", str(tmp_path / "site")],
        "export": ["--csv", "-"],
    }
    run_light([command, str(store), *more.get(command, [])])


@pytest.mark.parametrize(("terminal", "imported"), [(True, False), (True, True), (False, False)])
def test_slow_imports_are_announced_on_a_terminal_and_the_line_is_cleared(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
    imported: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with monkeypatch.context() as patch:
        if not imported:
            patch.delitem(sys.modules, "torch", raising=False)
        with loading_pytorch():
            shown = capsys.readouterr().err
    after = capsys.readouterr().err
    announced = terminal and not imported
    assert ("PyTorch" in shown, "\n" in shown) == (announced, False)
    assert bool(after) == announced


def test_every_command_has_a_help_page(run: Run) -> None:
    for name in COMMANDS:
        result = run(name, "--help")
        assert (result.status, result.err) == (0, "")
        assert f"featviz {name}" in result.out
        assert result.out == run(name, "-h").out


def test_the_help_lists_every_command_once_with_a_whole_sentence(run: Run) -> None:
    assert sorted(each.name or "" for some in SECTIONS.values() for each in some) == COMMANDS
    lines = run("--help").out.splitlines()
    for name in COMMANDS:
        (line,) = (line for line in lines if line.startswith(f"  {name} "))
        assert line.endswith(".")
        assert not line.endswith("...")


def test_the_help_explains_the_exit_status_and_shared_arguments(run: Run) -> None:
    text = " ".join(run("--help").out.split())
    assert "0 done, 1 error, 2 wrong usage, 3 finished but some units failed" in text
    assert all(name in text for name in ARGUMENTS)
    for command in featviz.commands.values():
        usage = command.get_usage(click.Context(command, info_name=command.name))
        assert ("SELECTOR" in usage) <= ("SELECTOR" in (command.epilog or ""))


def test_no_argument_shows_the_help(run: Run) -> None:
    result = run()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: featviz")
    assert len(result.err.splitlines()) > 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rendr"], "render"),
        (["xyzzy"], "the commands are activations, attention"),
        (["--jsn", "models"], "--jsn"),
        (["models", "--jsn"], "--json"),
        (["models", "more"], "more"),
        (["render", "cueworld/vit", "patch_embed:0"], "-o"),
        (["render"], "MODEL"),
        (["gallery", "-o", "site"], "STORE"),
        (["pack", "store"], "FILE.h5"),
    ],
)
def test_wrong_usage_is_one_error_line_with_status_2(run: Run, words: list[str], says: str) -> None:
    assert says in run(*words).refusal(2)


def test_main_exits_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["featviz", "rendr"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2


def test_ctrl_c_gives_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(featviz.commands["models"], "callback", interrupted)
    result = run("models")
    assert (result.status, result.out) == (130, "")
    assert result.err.startswith("\ninterrupted; ")


@pytest.mark.parametrize("words", [["models"], ["info", "--help"]])
def test_a_closed_pipe_on_stdout_is_not_an_error(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert status(words) == 0
    assert capsys.readouterr().err == ""


def test_every_command_can_report_as_json() -> None:
    for name, command in featviz.commands.items():
        assert "as_json" in {parameter.name for parameter in command.params}, name


def test_every_option_is_explained() -> None:
    for command in featviz.commands.values():
        assert command.help
        for option in command.params:
            explained = isinstance(option, click.Argument) or getattr(option, "help", None)
            assert explained, f"{command.name} --{option.name}"
