from __future__ import annotations

import pytest
import torch

from benchmarks.sweep import by_batched_forward, by_hooks, compare, sweeps
from tests.patching.models import images, model_of


@pytest.mark.parametrize("kind", ["ViT", "LayerScale"])
@pytest.mark.parametrize("name", ["attention outputs", "z of heads"])
def test_the_batched_forward_and_one_forward_pass_per_target_agree(kind: str, name: str) -> None:
    model = model_of(kind)
    patches = sweeps(model)[name]
    with torch.no_grad():
        found, expected = (
            method(model, patches)(images(model, 1), images(model, 2))
            for method in (by_batched_forward, by_hooks)
        )
    assert len(expected) == len(patches)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert expected.std(0).max() > 1e-3


def test_the_number_of_block_images_has_a_closed_form() -> None:
    model = model_of("ViT")
    with torch.no_grad():
        found = compare(
            model, sweeps(model)["attention outputs"], (images(model, 1), images(model, 2)), 1
        )
    depth, count = 2, 3
    assert found["two runs"]["block_images"] == 2 * depth * count
    assert found["hooks"]["block_images"] == (depth + 2) * depth * count
    assert found["batched"]["block_images"] == (depth**2 / 2 + 2 * depth) * count
    assert found["times_less_than_hooks"]["block_images_without_the_two_runs"] == 2
