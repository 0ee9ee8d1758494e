"""Running the command line inside the tests' process, and looking at what it leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import status


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str

    def refusal(self, status: int = 1) -> str:
        """The one line that a refused command leaves, held to the form of all of them."""
        assert self.status == status, self.err
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("Error: ")
        return line


Run = Callable[..., Result]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs `featviz` with words of any type."""

    def call(*words: object) -> Result:
        capsys.readouterr()
        code = status([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return call


def tree(folder: Path) -> dict[str, str]:
    """Every name below a folder, with the digest of its content."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in folder.rglob("*")
    }
