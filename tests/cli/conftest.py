"""Commands run in this process, on the bundled model, each on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import featviz
from cli.main import status
from featviz.models.vision_model import VisionModel
from tests.cli.running import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `featviz` with these words."""
    return runner(capsys)


@pytest.fixture(scope="session")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep tests in parallel from crowding each other out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def neurons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three filters in two shards; not to be changed."""
    store = tmp_path_factory.mktemp("stores") / "neurons"
    words = ["render", "cueworld/vit", "patch_embed:0-2", "-o", str(store)]
    assert status([*words, "--steps", "2", "--size", "16", "--batch", "2"]) == 0
    return store
