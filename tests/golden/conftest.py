"""A folder to give the golden command lines in, and the presets that these had."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import torch

from featviz.optimization import recipe
from featviz.optimization.augmentations import Augmentation
from featviz.optimization.presets import PRESETS, Preset
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


def fit(preset: Preset, _image_size: int, patch: int) -> Augmentation:
    """Round the shift up to whole patches, whatever the size of the input, as 0.1 did."""
    shift = preset.augmentation.shift
    return replace(preset.augmentation, shift=math.ceil(shift / patch) * patch)


@pytest.fixture(autouse=True)
def _presets_of_0_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "fit", fit)
    vit = replace(PRESETS["vit"], cooldown=1.0, frequency_schedule=0.5)
    monkeypatch.setitem(PRESETS, "vit", vit)
