from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import featviz
from featviz._util.seeding import generator_for
from featviz.addressing.address import Unit
from featviz.analysis.scores.held_out_views import held_out
from featviz.analysis.scores.metrics import fine_share
from featviz.models.vision_model import VisionModel
from featviz.optimization.objectives import similarity
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import make_recipe
from featviz.optimization.schedule import learning_rate
from tests.featviz.toys import index_of, toy_vit
from tests.oracles.adam import maximize
from tests.oracles.linear import best_in_the_box


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture
def toy() -> VisionModel:
    return toy_vit()


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def expected_value(model: VisionModel, pictures: Tensor, layer: str, index: int) -> Tensor:
    """Mean over patches of a layer's output for (N, 3, H, W) in [0, 1], by a full forward pass."""
    outputs: list[Tensor] = []
    hook = model.module.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output)
    )
    try:
        with torch.no_grad():
            model.module((pictures - 0.5) / 0.5)
    finally:
        hook.remove()
    return outputs[0][:, 1:, index].mean(1)


def as_images(pictures: Pictures, unit: int) -> Tensor:
    return pictures.images[unit].permute(0, 3, 1, 2) / 255


# Independence of pictures.


@pytest.mark.usefixtures("one_thread")
def test_a_picture_does_not_depend_on_its_batch(vit: VisionModel) -> None:
    recipe = make_recipe(vit, steps=64)
    units = featviz.units(vit, "blocks.2.mlp.fc1:0-31")
    together = optimize(vit, units, recipe)
    reversed_batch = optimize(vit, units[:8][::-1], recipe)
    for k in (0, 3, 7):
        alone = optimize(vit, [units[k]], recipe)
        for other, index in ((together, k), (reversed_batch, 7 - k)):
            np.testing.assert_allclose(
                other.activation[index].numpy(), alone.activation[0].numpy(), rtol=1e-3
            )
            difference = (other.images[index].float() - alone.images[0].float()).abs()
            assert difference.mean() < 0.5


def test_a_sample_does_not_depend_on_the_number_of_samples(toy: VisionModel) -> None:
    unit = [Unit("blocks.1.mlp.fc1", 3)]
    two = optimize(toy, unit, make_recipe(toy, steps=5, samples=2, diversity=0))
    three = optimize(toy, unit, make_recipe(toy, steps=5, samples=3, diversity=0))
    torch.testing.assert_close(three.activation[:, :2], two.activation, rtol=1e-4, atol=1e-6)
    assert not torch.equal(three.images[0, 0], three.images[0, 1])


def test_the_generator_of_a_picture_depends_on_seed_address_and_sample_only() -> None:
    unit = "blocks.1.mlp.fc1:3"
    names = [(0, unit, 0), (1, unit, 0), (0, "blocks.1.mlp.fc1:4", 0), (0, unit, 1)]
    names += [(0, f"{unit}@cls", 0), (0, f"{unit}@1", 0)]
    first = [torch.rand(4, generator=generator_for(*name)) for name in names]
    second = [torch.rand(4, generator=generator_for(*name)) for name in reversed(names)]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(second), strict=True))
    assert len({tuple(draw.tolist()) for draw in first}) == len(names)


def test_the_same_call_makes_the_same_pictures(toy: VisionModel) -> None:
    units = featviz.units(toy, "blocks.2.mlp.fc1:0-3")
    first, second = (optimize(toy, units, make_recipe(toy, steps=6)) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.activation, second.activation)
    assert torch.equal(first.trajectory, second.trajectory)
    other = optimize(toy, units, make_recipe(toy, steps=6, seed=1))
    assert not torch.equal(first.images, other.images)


def test_a_unit_that_is_nan_does_not_change_the_rest_of_its_batch(toy: VisionModel) -> None:
    recipe = make_recipe(toy, steps=8, samples=2)
    units = featviz.units(toy, "blocks.2.mlp.fc1:0-4")
    before = optimize(toy, units, recipe)
    with torch.no_grad():
        toy.module.get_parameter("blocks.2.mlp.fc1.weight")[2, 0] = torch.nan
    after = optimize(toy, units, recipe)
    others = [0, 1, 3, 4]
    assert after.activation[2].isnan().all()
    torch.testing.assert_close(after.activation[others], before.activation[others])
    torch.testing.assert_close(after.trajectory[others], before.trajectory[others])
    difference = after.images[others].int() - before.images[others].int()
    assert difference.abs().max() <= 1


# Activations and trajectories.


def test_the_activation_is_that_of_the_stored_picture_without_augmentation(
    vit: VisionModel,
) -> None:
    units = featviz.units(vit, "blocks.3.mlp.fc1:5,9")
    pictures = optimize(vit, units, make_recipe(vit, steps=4, samples=2))
    assert pictures.images.dtype == torch.uint8
    assert pictures.images.shape == (2, 2, 128, 128, 3)
    assert pictures.trajectory.shape == (2, 2, 4)
    for k, unit in enumerate(units):
        expected = expected_value(vit, as_images(pictures, k), unit.site, index_of(unit))
        torch.testing.assert_close(pictures.activation[k], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [24, 48])
def test_a_picture_of_another_size_is_resized_to_the_input_of_the_model(
    toy: VisionModel, size: int
) -> None:
    units = featviz.units(toy, "blocks.1.mlp.fc1:3")
    pictures = optimize(toy, units, make_recipe(toy, steps=4, size=size, samples=2))
    assert pictures.images.shape == (1, 2, size, size, 3)
    resized = np.stack([_pillow_resize(each, 32) for each in pictures.images[0].numpy()])
    images = torch.from_numpy(resized).permute(0, 3, 1, 2) / 255
    expected = expected_value(toy, images, "blocks.1.mlp.fc1", 3)
    torch.testing.assert_close(pictures.activation[0], expected, rtol=1e-4, atol=1e-5)


def _pillow_resize(picture: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(picture, 2, 0)]
    resized = [plane.resize((side, side), Image.Resampling.BILINEAR) for plane in planes]
    return np.stack([np.asarray(plane) for plane in resized], 2)


def test_a_trajectory_ends_higher_than_it_starts(vit: VisionModel) -> None:
    units = featviz.units(vit, "blocks.1.mlp.fc1:0-3")
    trajectory = optimize(vit, units, make_recipe(vit, steps=32)).trajectory[:, 0]
    assert (trajectory[:, -8:].mean(1) > trajectory[:, :4].amax(1)).all()


@pytest.mark.parametrize(("betas", "cooldown"), [((0.5, 0.9), 0.5), ((0.9, 0.999), 1.0)])
def test_parameters_are_updated_by_adam_with_the_betas_and_the_cooldown_of_the_recipe(
    betas: tuple[float, float], cooldown: float
) -> None:
    """The objective is a weighted sum of squared pixels, which are sigmoids of the parameters."""
    weights = torch.linspace(-1, 1, 3 * 16 * 16)

    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = nn.Linear(len(weights), 1, bias=False)
            self.sum.weight.data = weights[None]

        def forward(self, images: Tensor) -> Tensor:
            summed: Tensor = self.sum(images.flatten(1) ** 2)
            return summed

    model = VisionModel("squares", Squares(), 16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    (unit,) = featviz.units(model, "sum:0")
    recipe = make_recipe(model, preset="naive", steps=40, precision="float32")
    recipe = replace(recipe, betas=betas, learning_rate=0.2, cooldown=cooldown)
    picture = optimize(model, [unit], recipe).images[0, 0].permute(2, 0, 1).flatten()
    starts = recipe.parametrization(16).initial(generator_for(0, str(unit), 0)).flatten()
    rates = [learning_rate(0.2, cooldown, step, recipe.steps) for step in range(recipe.steps)]
    for pixel in range(0, len(weights), 31):
        weight = float(weights[pixel])

        def gradient(parameter: float, weight: float = weight) -> float:
            sigmoid = 1 / (1 + math.exp(-parameter))
            return weight * 2 * sigmoid * sigmoid * (1 - sigmoid)

        parameter = maximize(float(starts[pixel]), gradient, rates, betas)
        assert int(picture[pixel]) == pytest.approx(255 / (1 + math.exp(-parameter)), abs=0.51)


@pytest.mark.usefixtures("one_thread")
def test_pictures_of_a_linear_unit_reach_95_percent_of_the_maximum(vit: VisionModel) -> None:
    token = 27
    units = featviz.units(vit, f"patch_embed:0-15@{token}")
    pictures = optimize(vit, units, make_recipe(vit, preset="naive", param="fourier"))
    layer = vit.module.get_submodule("patch_embed.proj")
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    for unit, reached in zip(units, pictures.activation[:, 0].tolist(), strict=True):
        weight = layer.weight[index_of(unit)].double().numpy()
        best = best_in_the_box(weight, float(layer.bias[index_of(unit)]), mean=0.5, std=0.5)
        assert 0.95 * best <= reached <= best * (1 + 1e-5), str(unit)


def test_diversity_makes_samples_less_similar_and_keeps_their_activation(
    vit: VisionModel,
) -> None:
    units = featviz.units(vit, "blocks.4.mlp.fc1:2-3")
    similarities, activation = {}, {}
    for weight in (0.0, 1.0):
        pictures = optimize(vit, units, make_recipe(vit, steps=48, samples=3, diversity=weight))
        found = torch.stack([features(vit, each) for each in pictures.images])
        similarities[weight] = similarity(found)
        activation[weight] = pictures.activation
    assert (similarities[1.0] < similarities[0.0]).all()
    assert (activation[1.0].mean(1) > 0.5 * activation[0.0].mean(1)).all()


def features(model: VisionModel, images: Tensor) -> Tensor:
    """Return the input (D, tokens, channels) of the neurons of block 4 for images (D, H, W, 3)."""
    found: list[Tensor] = []
    hook = model.module.get_submodule("blocks.4.mlp.fc1").register_forward_pre_hook(
        lambda _, inputs: found.append(inputs[0])
    )
    with torch.no_grad():
        model.module((images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)
    hook.remove()
    return found[0]


def test_a_total_variation_weight_makes_pictures_smoother(toy: VisionModel) -> None:
    def roughness(tv_weight: float) -> float:
        units = featviz.units(toy, "blocks.1.mlp.fc1:0-3")
        recipe = make_recipe(toy, preset="naive", steps=60, tv_weight=tv_weight)
        images = optimize(toy, units, recipe).images.float()
        return float((images[:, :, 1:] - images[:, :, :-1]).abs().mean())

    assert roughness(10.0) < 0.7 * roughness(0.0)


# Frequency schedule and betas.


def test_a_frequency_schedule_makes_pictures_smoother_and_keeps_their_activation(
    vit: VisionModel,
) -> None:
    units = featviz.units(vit, "blocks.5.mlp.fc1:0-3")
    scheduled = optimize(vit, units, make_recipe(vit, steps=64, frequency_schedule=0.5))
    plain = optimize(vit, units, make_recipe(vit, steps=64, frequency_schedule=0))
    rough, smooth = (
        sum(map(fine_share, pictures.images[:, 0].numpy())) for pictures in (plain, scheduled)
    )
    assert smooth < 0.75 * rough
    assert scheduled.activation.mean() > 0.9 * plain.activation.mean()


def test_the_default_betas_reach_higher_held_out_activations_than_those_of_torch(
    vit: VisionModel,
) -> None:
    """In the same number of steps."""
    better: list[bool] = []
    for block in (2, 5, 8):
        units = featviz.units(vit, f"blocks.{block}.mlp.fc1:0-7")
        recipe = make_recipe(vit, steps=48)
        found = []
        for betas in (recipe.betas, (0.9, 0.999)):
            images = (
                optimize(vit, units, replace(recipe, betas=betas)).images[:, 0].permute(0, 3, 1, 2)
                / 255
            )
            with torch.no_grad():
                values = [featviz.readout(vit, units).paired(view) for view in held_out(images)]
            found.append(torch.stack(values).mean(0))
        better += (found[0] > found[1]).tolist()
    assert sum(better) >= 0.75 * len(better)


# Side effects.


def flags(module: nn.Module) -> list[bool | int]:
    found: list[bool | int] = [weight.requires_grad for weight in module.parameters()]
    for part in module.modules():
        found += [part.training, len(part._forward_hooks), len(part._forward_pre_hooks)]
    return found


def modify(model: VisionModel) -> None:
    """Set training mode and gradients in parts of a model, and register a hook."""
    model.module.get_submodule("blocks.0").train()
    for weight in model.module.get_submodule("blocks.1").parameters():
        weight.requires_grad_(True)
    model.module.get_submodule("blocks.0").register_forward_hook(lambda *_: None)


def numpy_random_state() -> list[int]:
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    assert isinstance(state, dict)
    return [*state["state"]["key"].tolist(), state["state"]["pos"]]


def test_model_threads_and_random_state_are_unchanged(toy: VisionModel) -> None:
    modify(toy)
    units = featviz.units(toy, "blocks.2.mlp.fc1:0-1")
    recipe = make_recipe(toy, steps=3, samples=2)
    before = flags(toy.module), torch.get_rng_state().clone(), torch.get_num_threads()
    weights = copy.deepcopy(toy.module.state_dict())
    numpy_state = numpy_random_state()
    optimize(toy, units, recipe)
    assert flags(toy.module) == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.get_num_threads() == before[2]
    assert numpy_random_state() == numpy_state
    assert all(weight.grad is None for weight in toy.module.parameters())
    for name, weight in toy.module.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_the_model_is_restored_when_it_raises_midway(toy: VisionModel) -> None:
    units = featviz.units(toy, "blocks.2.mlp.fc1:0-1")
    modify(toy)
    calls: list[None] = []

    def fail(*_: object) -> None:
        calls.append(None)
        if len(calls) == 3:
            raise RuntimeError("the model gave up")

    toy.module.get_submodule("blocks.1").register_forward_hook(fail)
    before, state = flags(toy.module), torch.get_rng_state().clone()
    with pytest.raises(RuntimeError, match="the model gave up"):
        optimize(toy, units, make_recipe(toy, steps=9))
    assert flags(toy.module) == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("block", range(4))
def test_blocks_after_that_of_the_units_are_never_called(toy: VisionModel, block: int) -> None:
    units = featviz.units(toy, f"blocks.{block}.mlp.fc1:0-1")
    calls = dict.fromkeys(range(4), 0)

    def count(block: int) -> None:
        calls[block] += 1

    for depth in range(4):
        toy.module.get_submodule(f"blocks.{depth}").register_forward_pre_hook(
            lambda *_, depth=depth: count(depth)
        )
    optimize(toy, units, make_recipe(toy, steps=3))
    # Three steps and the activation of the stored picture.
    assert calls == {depth: 4 if depth <= block else 0 for depth in range(4)}


def test_tick_is_called_after_every_step(toy: VisionModel) -> None:
    ticks: list[None] = []
    units = featviz.units(toy, "blocks.0.mlp.fc1:0-2")
    optimize(toy, units, make_recipe(toy, steps=7), lambda: ticks.append(None))
    assert len(ticks) == 7
