"""The command line in this process, and golden stores to run it on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from cli.main import main
from tests.golden.commands import GOLDEN


def featviz(*words: object) -> Any:
    """Run `featviz`, which shall end well; return the JSON that it prints, or the text."""
    code: object = None
    with redirect_stdout(io.StringIO()) as printed:
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    assert not code, (words, code)
    text = printed.getvalue()
    return json.loads(text) if text.startswith(("{", "[")) else text


def unpack(store: str, folder: Path) -> Path:
    """Put a golden store into a folder."""
    with zipfile.ZipFile(GOLDEN / f"{store}.zip") as archive:
        archive.extractall(folder)
    return folder / store


def golden(name: str) -> Any:
    """Read a golden JSON file."""
    return json.loads((GOLDEN / f"{name}.json").read_text())


def tree(folder: Path) -> dict[str, str]:
    """Name every file below a folder, with the digest of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
