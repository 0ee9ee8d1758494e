"""The sources of the pages' scripts, and the tools of Node.js that read them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import gallery

BROWSER = Path(gallery.__file__).parent / "browser"
FOLDERS = sorted(
    path for path in BROWSER.iterdir() if path.is_dir() and path.name != "node_modules"
)
SOURCES = sorted(
    path for folder in FOLDERS for path in folder.rglob("*") if path.suffix in {".js", ".css"}
)


def need(is_there: bool, reason: str) -> None:
    """Without what is needed, skip the test, but fail where CI is set."""
    if not is_there and os.environ.get("CI"):
        pytest.fail(reason)
    if not is_there:
        pytest.skip(reason)


def run(*command: str) -> str:
    """Run a tool of Node.js in the folder of the sources; give what it prints."""
    need(shutil.which(command[0]) is not None, f"{command[0]} is not on the PATH; install Node.js")
    done = subprocess.run(command, cwd=BROWSER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def call(module: str, function: str, *arguments: Any) -> Any:
    """Call a function of a module that touches no page, with JSON for arguments and result."""
    given = ", ".join(json.dumps(argument) for argument in arguments)
    code = (
        f"import {{ {function} }} from {json.dumps((BROWSER / module).as_uri())};"
        f"console.log(JSON.stringify({function}({given})));"
    )
    return json.loads(run("node", "--input-type=module", "--eval", code))
