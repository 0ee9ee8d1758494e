"""Fixtures of the tests of rendering."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from featviz.addressing.selectors import units
from featviz.models.vision_model import VisionModel
from featviz.rendering.render import Rendering, render
from tests.featviz.toys import toy_vit

STEPS = 3
SELECTORS = ("blocks.2.mlp.fc1:0-2", "patch_embed:1,0", "blocks.0.mlp.fc1:5@0-1")
"""Of `whole`: three layers, of which one at single tokens."""


@pytest.fixture(scope="module")
def toy() -> VisionModel:
    return toy_vit()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums over several threads may differ in the last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(toy: VisionModel) -> Rendering:
    """The units of SELECTORS with two samples each, in one batch."""
    return render(toy, units(toy, *SELECTORS), samples=2, steps=STEPS, batch=32)
