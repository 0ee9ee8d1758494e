"""Values on a GPU are those of the processor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import featviz
from featviz.models.hooks import eval_mode
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import Patch, PatchTarget
from patching.vit.residual_vit import residual_vit
from tests.cuda.devices import (
    exact_convolutions,
    in_float64,
    load,
    on_cuda,
    on_each_device,
    relative_error,
)

UNITS = [
    ("vit", "blocks.3.mlp.fc1:0-15"),
    ("vit", "blocks.3.mlp.fc1:0-15@max"),
    ("vit", "blocks.3.mlp_act:0-15@cls"),
    ("vit", "blocks.3.attn.qk:all@same"),
    ("vit", "blocks.3.attn.qk:all@max"),
    ("vit", "sae.s:0-15"),
    ("resnet", "layer2.0.conv1:0-15"),
    ("resnet", "fc:all"),
]
PATCHES: list[Patch] = [
    (PatchTarget("z", 2, None, (1,)),),
    (PatchTarget("attn_out", 3),),
    (PatchTarget("neurons", 5, (0, 7), (3, 4)),),
    (PatchTarget("resid_pre", 6),),
]


def images(model: featviz.VisionModel, seed: int) -> Tensor:
    side = model.image_size
    return torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(seed))


@on_each_device
@pytest.mark.parametrize(("name", "selector"), UNITS)
def test_units_have_the_values_of_float64(name: str, selector: str, device: str) -> None:
    model = load(name, device)
    units, seen = featviz.units(model, selector), images(model, 0)
    with exact_convolutions(), torch.no_grad():
        found = featviz.readout(model, units)(seen.to(device))
    with torch.no_grad():
        expected = featviz.readout(in_float64(load(name)), units)(seen.double())
    assert found.device.type == device
    assert found.dtype == torch.float32
    assert relative_error(found, expected) < 1e-4


@on_each_device
@pytest.mark.parametrize("selector", ["blocks.3.mlp.fc1:0-3", "blocks.3.attn.qk:0-3@same"])
def test_gradients_to_images_are_those_of_float64(selector: str, device: str) -> None:
    gradients: list[Tensor] = []
    for model, where in ((load("vit", device), device), (in_float64(load("vit")), "cpu")):
        like = next(model.module.parameters())
        seen = images(model, 1).to(where, like.dtype).requires_grad_()
        with exact_convolutions():
            value = featviz.readout(model, featviz.units(model, selector)).paired(seen).sum()
            gradients.append(*torch.autograd.grad(value, seen))
    assert relative_error(*gradients) < 1e-4


@on_each_device
def test_patched_logits_are_those_of_float64(device: str) -> None:
    def logits(model: featviz.VisionModel, where: str) -> Tensor:
        vit, like = residual_vit(model), next(model.module.parameters())
        with (
            eval_mode(model.module),
            torch.inference_mode(),
            exact_convolutions(),
        ):
            donor, base = (
                run_with_cache(vit, vit.embed(images(model, seed).to(where, like.dtype)), PATCHES)
                for seed in (0, 1)
            )
            return patched_logits(vit, base, donor, PATCHES)

    found = logits(load("vit", device), device)
    expected = logits(in_float64(load("vit")), "cpu")
    assert found.shape == (len(PATCHES), 4, expected.shape[-1])
    assert relative_error(found, expected) < 1e-4
    # The patches do something: the test would not notice it if they were dropped.
    assert all(relative_error(expected[index], expected[0]) > 1e-3 for index in (1, 2, 3))


@on_each_device
def test_the_first_steps_have_the_values_of_the_processor(device: str) -> None:
    """Starts and augmentations are drawn on the processor, the same for every device."""
    model = load("vit", device)
    units = featviz.units(model, "blocks.3.mlp.fc1:0-3")
    recipe = make_recipe(model, steps=3, precision="float32")
    with exact_convolutions():
        found = optimize(model, units, recipe)
    expected = optimize(load("vit"), units, recipe)
    assert relative_error(found.trajectory, expected.trajectory) < 1e-3
    levels = (found.images.int() - expected.images.int()).abs()
    assert levels.max() <= 4
    assert levels.float().mean() < 0.1


@pytest.mark.parametrize("index", range(2))
@pytest.mark.cuda
def test_each_gpu_gives_the_same_values(index: int) -> None:
    if torch.cuda.device_count() <= index:
        pytest.skip(f"needs {index + 1} CUDA devices")
    model = load("vit", f"cuda:{index}")
    units, seen = featviz.units(model, "blocks.3.mlp.fc1:0-3"), images(model, 0)
    torch.cuda.reset_peak_memory_stats(index)
    with torch.no_grad(), exact_convolutions():
        found = featviz.readout(model, units)(seen.to(f"cuda:{index}"))
        expected = featviz.readout(load("vit"), units)(seen)
    assert found.device.index == index
    assert torch.cuda.max_memory_allocated(index) > 0
    assert relative_error(found, expected) < 1e-4


@on_cuda
def test_the_stored_activation_is_that_of_float32() -> None:
    model = load("vit", "cuda")
    units = featviz.units(model, "blocks.3.mlp.fc1:0-3")
    with exact_convolutions():
        pictures = optimize(model, units, make_recipe(model, steps=8, precision="bfloat16"))
    seen = pictures.images[:, 0].permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = featviz.readout(in_float64(load("vit")), units).paired(seen.double())
    assert relative_error(pictures.activation[:, 0], expected) < 1e-4
