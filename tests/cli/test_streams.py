from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from cli.main import status
from cli.output import print_table
from cli.streams import unfailing_streams
from featviz.store.reader import Store
from tests.cli.running import tree
from tests.gallery.made_stores import write_store

RENDER = [
    "render",
    "cueworld/vit",
    "patch_embed:0-1",
    "--steps",
    "1",
    "--size",
    "16",
    "--batch",
    "1",
]
FEATVIZ = f"{sys.executable} -c 'from cli.main import main; main()'"


def shell(command: str, **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        command, shell=True, capture_output=True, check=False, env=os.environ | environment
    )
    return done.returncode, done.stdout, done.stderr


def as_stdout(monkeypatch: pytest.MonkeyPatch, encoding: str) -> io.BytesIO:
    """Make `sys.stdout` a stream of an encoding, and return what is written to it."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    return written


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_job_is_done_although_a_stream_cannot_be_written(
    stream: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "store"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, stream, full)
        code = status([*RENDER, "-o", str(store), "--json"])
    assert len(Store(store)) == 2
    out, err = capsys.readouterr()
    if stream == "stderr":
        assert (code, err) == (0, "")
        assert '"rendered": 2' in out
    else:
        assert (code, out) == (1, "")
        assert err.splitlines()[-1] == "Error: cannot write to stdout: No space left on device"


def test_standard_streams_may_be_full_or_closed(tmp_path: Path) -> None:
    store = str(write_store(tmp_path / "store", ["head:0"]).path)
    before = tree(tmp_path)
    full = b"Error: cannot write to stdout: No space left on device\n"
    closed = b"Error: cannot write to stdout: Bad file descriptor\n"
    for redirection, result in {
        "info {} >/dev/full": (1, b"", full),
        "info {} >&-": (1, b"", closed),
        "--help >/dev/full": (1, b"", full),
        "verify {} 2>/dev/full": (0, b"", b""),
        "verify {} <&- >&- 2>&-": (0, b"", b""),
        "info nothing 2>/dev/full": (1, b"", b""),
    }.items():
        assert shell(f"{FEATVIZ} {redirection.format(store)}") == result, redirection
    assert tree(tmp_path) == before


def test_a_file_never_takes_the_number_of_a_closed_standard_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys; from cli.streams import open_closed_streams as open_them; open_them(); "
        "os._exit(os.open(sys.argv[1], os.O_CREAT))"
    )
    command = f"{sys.executable} -c '{code}' {tmp_path / 'shard'} <&- >&- 2>&-"
    assert shell(command)[0] > 2


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", "狗 \xe9 \udcff".encode("utf-8", "surrogateescape")),
        ("latin-1", b"\\u72d7 \xe9 \xff"),
        ("ascii", b"\\u72d7 \\xe9 \xff"),
    ],
)
def test_any_character_can_be_printed_in_any_encoding(
    encoding: str, printed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = as_stdout(monkeypatch, encoding)
    with unfailing_streams():
        print("狗 \xe9 \udcff")
    assert written.getvalue() == printed + b"\n"


def test_streams_in_memory_get_what_a_command_prints() -> None:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        assert status(["models", "--json"]) == 0
        assert status(["info", "no-store-\u2028"]) == 1
    assert '"cueworld/vit"' in out.getvalue()
    assert err.getvalue().startswith("Error: ")


def test_a_slow_reader_of_a_nonblocking_pipe_gets_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "x" * 300_000  # a pipe holds 64 kB
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(["wc", "-c"], stdin=reading, stdout=subprocess.PIPE) as reader:
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            with unfailing_streams() as output:
                sys.stdout.write(text)
            assert output.error is None
        assert reader.stdout is not None
        assert int(reader.stdout.read()) == len(text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202eb", r"a\u202eb"),
        ("a\udcffb", r"a\xffb"),
        ("na\xefve 狗", "na\xefve 狗"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),  # Persian needs the joiner
    ],
)
def test_a_table_shows_a_name_in_one_line_without_hidden_characters(
    name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table([("name", "value"), (name, 1)])
    assert capsys.readouterr().out.splitlines()[1].split("  ")[0] == shown


def test_columns_are_aligned_on_a_terminal_with_wide_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table([("狗狗", "a"), ("dog", "b"), ("e\u0301", "c")])
    assert capsys.readouterr().out.splitlines() == ["狗狗  a", "dog   b", "e\u0301     c"]
