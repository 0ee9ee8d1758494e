"""`featviz render --engine ray`, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from featviz.store.reader import Store

MAIN = """
import signal
from cli.main import main
# A shell that runs the tests in the background makes them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def launch(store: Path, *more: object, address: str | None = None) -> subprocess.Popen[str]:
    """Start the command as from a terminal, in a group of processes of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    if address:
        environment["RAY_ADDRESS"] = address
    words = ["render", "cueworld/vit", "blocks.0-1.mlp.fc1:0-5", "-o", store, "--batch", 2]
    words += ["--steps", 40, "--size", 32, "--engine", "ray", "--workers", 2, *more]
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.mark.slow
def test_ctrl_c_gives_status_130_and_the_next_run_resumes(tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = launch(store)
    while process.poll() is None and not list(store.glob("shards/*.h5")):
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[-1].startswith("interrupted; stored results are kept")
    assert "Traceback" not in err
    kept = len(Store(store))
    assert 0 < kept < 12
    again = launch(store, "--json")
    out, err = again.communicate()
    assert again.returncode == 0, err
    counts = {"store": str(store), "rendered": 12 - kept, "done": kept}
    expected = {**counts, "failures": {}, "constants": {}}
    assert json.loads(out) == expected
    *bar, last = err.splitlines()
    assert last.endswith(f"{12 - kept} units rendered, {kept} already stored, 0 failed")
    assert all("images" in line or not line for line in bar), err


@pytest.mark.slow
def test_an_unreachable_cluster_is_one_error_line(tmp_path: Path) -> None:
    process = launch(tmp_path / "store", address="not-an-address")
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("Error: cannot reach or start a Ray cluster: ")
