"""A folder to give the golden command lines in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import torch

from tests.golden.commands import INPUTS


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep tests in parallel from crowding each other out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder with what the commands read."""
    copytree(INPUTS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    # `compare` has no --precision, and on some processors would take bfloat16.
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    return tmp_path
