"""Steps on a GPU: nothing waits for it, graphs give the same values, and runs repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import featviz
from benchmarks.compiled_step import compiled, cuda_graph
from featviz.optimization.optimize import Step, optimize
from featviz.optimization.recipe import make_recipe
from tests.cuda.devices import load, needs_cuda, relative_error
from tests.featviz.optimization.test_step import CASES

pytestmark = needs_cuda

STEPS = 12
ATOMIC = 8
"""Levels of 255 by which pictures of `STEPS` steps may differ from run to run: the gradients of
`grid_sample` and of fused attention are summed by atomic additions, in any order."""


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_step_waits_for_the_gpu(name: str, precision: str) -> None:
    kind, selector, settings = CASES[name]
    model = load(kind, "cuda")
    recipe = make_recipe(model, steps=4, precision=precision, **settings)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        # The first step makes constants and the moments of Adam; after the last one, results are
        # copied.
        torch.cuda.set_sync_debug_mode("error" if done < recipe.steps else "default")

    try:
        optimize(model, featviz.units(model, selector), recipe, tick)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert done == recipe.steps


@pytest.mark.parametrize("name", ["neurons", "logits", "filters", "latents"])
def test_a_cuda_graph_gives_the_same_pictures(name: str) -> None:
    check_transform(cuda_graph, *CASES[name])


def check_transform(
    transform: Callable[[Step], Step], kind: str, selector: str, settings: dict[str, Any]
) -> None:
    model = load(kind, "cuda")
    units = featviz.units(model, selector)
    recipe = make_recipe(model, steps=STEPS, precision="float32", **settings)
    found, expected = (
        optimize(model, units, recipe, transform=transform),
        optimize(model, units, recipe),
    )
    assert relative_error(found.trajectory, expected.trajectory) < 1e-2
    assert (found.images.int() - expected.images.int()).abs().float().mean() < 1


def test_a_picture_depends_on_neither_the_run_nor_its_batch_beyond_rounding() -> None:
    model = load("vit", "cuda")
    units = featviz.units(model, "blocks.3.mlp.fc1:0-15")
    recipe = make_recipe(model, steps=STEPS, precision="float32")
    first, second = optimize(model, units, recipe), optimize(model, units, recipe)
    alone = optimize(model, units[5:6], recipe)
    for one, other in ((first.images, second.images), (first.images[5:6], alone.images)):
        levels = (one.int() - other.int()).abs()
        assert levels.max() <= ATOMIC
        assert levels.float().mean() <= 0.5
    assert relative_error(second.activation, first.activation) < 1e-2
    assert relative_error(alone.activation, first.activation[5:6]) < 1e-2


def test_without_augmentations_and_fused_attention_pictures_repeat_to_the_bit() -> None:
    """Nothing else is summed in any order."""
    model = load("vit", "cuda")
    units = featviz.units(model, "blocks.3.mlp.fc1:0-15")
    recipe = make_recipe(model, steps=STEPS, precision="float32", preset="naive")
    with sdpa_kernel(SDPBackend.MATH):
        first, second = optimize(model, units, recipe), optimize(model, units, recipe)
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.trajectory, second.trajectory)


@pytest.mark.filterwarnings("ignore")  # of torch's compiler
def test_a_compiled_step_gives_the_same_pictures() -> None:
    check_transform(compiled, *CASES["neurons"])
