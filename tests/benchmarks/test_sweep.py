"""The benchmark of sweeps counts what it says, and its ways of sweeping agree."""

from __future__ import annotations

import pytest
import torch

from benchmarks.sweep import by_hooks, by_staircase, compare, sites
from tests.patching.models import images, model_of


@pytest.mark.parametrize("kind", ["ViT", "LayerScale"])
@pytest.mark.parametrize("what", ["attention outputs", "z of heads"])
def test_the_staircase_and_one_forward_pass_for_each_site_agree(kind: str, what: str) -> None:
    model = model_of(kind)
    patches = sites(model)[what]
    with torch.no_grad():
        found, right = (
            way(model, patches)(images(model, 1), images(model, 2))
            for way in (by_staircase, by_hooks)
        )
    assert len(right) == len(patches)
    torch.testing.assert_close(found, right, rtol=0, atol=1e-10)
    assert right.std(0).max() > 1e-3


def test_block_images_are_those_of_the_closed_form() -> None:
    model = model_of("ViT")
    with torch.no_grad():
        found = compare(
            model, sites(model)["attention outputs"], (images(model, 1), images(model, 2)), 1
        )
    depth, count = 2, 3
    assert found["two runs"]["block_images"] == 2 * depth * count
    assert found["hooks"]["block_images"] == (depth + 2) * depth * count
    assert found["staircase"]["block_images"] == (depth**2 / 2 + 2 * depth) * count
    assert found["times_less_than_hooks"]["block_images_besides_the_two_runs"] == 2
