"""DINOv2 ViT-S/14 from an installed package, converted once a session into a temporary folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.cli.running import Run, runner
from tests.real import onnx_model


@pytest.fixture(scope="session")
def original() -> Any:
    """The model in ONNX."""
    return onnx_model.read()


@pytest.fixture(scope="session")
def weights(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights as timm has them, with positions for 518 pixels."""
    path = tmp_path_factory.mktemp("dinov2") / "dinov2s.safetensors"
    save_file(onnx_model.weights_for_timm(original), path)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `featviz` with these words."""
    return runner(capsys)
