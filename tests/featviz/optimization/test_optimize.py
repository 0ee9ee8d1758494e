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
from timm.models.vision_transformer import VisionTransformer
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
from featviz.optimization.schedule import cosine_decay
from tests.featviz.toys import number
from tests.oracles.adam import maximize
from tests.oracles.linear import best_in_the_box


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture
def small() -> VisionModel:
    """Four blocks of random weights, for images of 32 x 32 pixels; a fresh one each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = VisionTransformer(32, 16, num_classes=2, embed_dim=16, depth=4, num_heads=2)
    module.eval().requires_grad_(False)
    return VisionModel("small", module, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def plain_value(model: VisionModel, pictures: Tensor, layer: str, index: int) -> Tensor:
    """Mean over patches of a layer's output on (N, 3, H, W) in [0, 1], by one whole forward."""
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


# One picture and its neighbors.


@pytest.mark.usefixtures("one_thread")
def test_every_picture_is_independent_of_its_batch_mates(vit: VisionModel) -> None:
    chosen = make_recipe(vit, steps=64)
    units = featviz.units(vit, "blocks.2.mlp.fc1:0-31")
    together = optimize(vit, units, chosen)
    backwards = optimize(vit, units[:8][::-1], chosen)
    for k in (0, 3, 7):
        alone = optimize(vit, [units[k]], chosen)
        for other, place in ((together, k), (backwards, 7 - k)):
            np.testing.assert_allclose(
                other.activation[place].numpy(), alone.activation[0].numpy(), rtol=1e-3
            )
            apart = (other.images[place].float() - alone.images[0].float()).abs()
            assert apart.mean() < 0.5


def test_a_sample_does_not_depend_on_how_many_there_are(small: VisionModel) -> None:
    unit = [Unit("blocks.1.mlp.fc1", 3)]
    two = optimize(small, unit, make_recipe(small, steps=5, samples=2, diversity=0))
    three = optimize(small, unit, make_recipe(small, steps=5, samples=3, diversity=0))
    torch.testing.assert_close(three.activation[:, :2], two.activation, rtol=1e-4, atol=1e-6)
    assert not torch.equal(three.images[0, 0], three.images[0, 1])


def test_the_stream_of_a_picture_depends_on_seed_address_and_sample_only() -> None:
    unit = Unit("blocks.1.mlp.fc1", 3)
    names = [(0, unit, 0), (1, unit, 0), (0, Unit("blocks.1.mlp.fc1", 4), 0), (0, unit, 1)]
    names += [(0, Unit("blocks.1.mlp.fc1", 3, "cls"), 0), (0, Unit("blocks.1.mlp.fc1", 3, 1), 0)]
    first = [torch.rand(4, generator=generator_for(*name)) for name in names]
    again = [torch.rand(4, generator=generator_for(*name)) for name in reversed(names)]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(again), strict=True))
    assert len({tuple(draw.tolist()) for draw in first}) == len(names)


def test_the_same_call_makes_the_same_pictures(small: VisionModel) -> None:
    units = featviz.units(small, "blocks.2.mlp.fc1:0-3")
    first, again = (optimize(small, units, make_recipe(small, steps=6)) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.activation, again.activation)
    assert torch.equal(first.trajectory, again.trajectory)
    other = optimize(small, units, make_recipe(small, steps=6, seed=1))
    assert not torch.equal(first.images, other.images)


def test_a_unit_that_is_no_number_does_not_disturb_its_batch_mates(small: VisionModel) -> None:
    chosen = make_recipe(small, steps=8, samples=2)
    units = featviz.units(small, "blocks.2.mlp.fc1:0-4")
    healthy = optimize(small, units, chosen)
    with torch.no_grad():
        small.module.get_parameter("blocks.2.mlp.fc1.weight")[2, 0] = torch.nan
    sick = optimize(small, units, chosen)
    others = [0, 1, 3, 4]
    assert sick.activation[2].isnan().all()
    torch.testing.assert_close(sick.activation[others], healthy.activation[others])
    torch.testing.assert_close(sick.trajectory[others], healthy.trajectory[others])
    apart = sick.images[others].int() - healthy.images[others].int()
    assert apart.abs().max() <= 1


# What the numbers mean.


def test_the_activation_is_that_of_the_stored_picture_without_views(vit: VisionModel) -> None:
    units = featviz.units(vit, "blocks.3.mlp.fc1:5,9")
    pictures = optimize(vit, units, make_recipe(vit, steps=4, samples=2))
    assert pictures.images.dtype == torch.uint8
    assert pictures.images.shape == (2, 2, 128, 128, 3)
    assert pictures.trajectory.shape == (2, 2, 4)
    for k, unit in enumerate(units):
        expected = plain_value(vit, as_images(pictures, k), unit.site, number(unit))
        torch.testing.assert_close(pictures.activation[k], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [24, 48])
def test_a_picture_of_another_size_is_measured_at_the_size_of_the_model(
    small: VisionModel, size: int
) -> None:
    units = featviz.units(small, "blocks.1.mlp.fc1:3")
    pictures = optimize(small, units, make_recipe(small, steps=4, size=size, samples=2))
    assert pictures.images.shape == (1, 2, size, size, 3)
    resized = np.stack([_pillow_resize(each, 32) for each in pictures.images[0].numpy()])
    seen = torch.from_numpy(resized).permute(0, 3, 1, 2) / 255
    expected = plain_value(small, seen, "blocks.1.mlp.fc1", 3)
    torch.testing.assert_close(pictures.activation[0], expected, rtol=1e-4, atol=1e-5)


def _pillow_resize(picture: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(picture, 2, 0)]
    resized = [plane.resize((side, side), Image.Resampling.BILINEAR) for plane in planes]
    return np.stack([np.asarray(plane) for plane in resized], 2)


def test_a_trajectory_ends_higher_than_it_starts(vit: VisionModel) -> None:
    units = featviz.units(vit, "blocks.1.mlp.fc1:0-3")
    trajectory = optimize(vit, units, make_recipe(vit, steps=32)).trajectory[:, 0]
    assert (trajectory[:, -8:].mean(1) > trajectory[:, :4].amax(1)).all()


@pytest.mark.parametrize("betas", [(0.5, 0.9), (0.9, 0.999)])
def test_numbers_climb_as_adam_does_with_the_betas_of_the_recipe(
    betas: tuple[float, float],
) -> None:
    """The value is a weighed sum of squares of pixels, which are sigmoids of the numbers."""
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
    chosen = make_recipe(model, preset="naive", steps=40, precision="float32")
    chosen = replace(chosen, betas=betas, learning_rate=0.2)
    picture = optimize(model, [unit], chosen).images[0, 0].permute(2, 0, 1).flatten()
    starts = chosen.parametrization(16).initial(generator_for(0, str(unit), 0)).flatten()
    rates = [cosine_decay(0.2, step, chosen.steps) for step in range(chosen.steps)]
    for pixel in range(0, len(weights), 31):
        weight = float(weights[pixel])

        def gradient(place: float, weight: float = weight) -> float:
            bright = 1 / (1 + math.exp(-place))
            return weight * 2 * bright * bright * (1 - bright)

        place = maximize(float(starts[pixel]), gradient, rates, betas)
        assert int(picture[pixel]) == pytest.approx(255 / (1 + math.exp(-place)), abs=0.51)


@pytest.mark.usefixtures("one_thread")
def test_pictures_of_a_linear_unit_come_close_to_the_best_there_is(vit: VisionModel) -> None:
    token = 27
    units = featviz.units(vit, f"patch_embed:0-15@{token}")
    pictures = optimize(vit, units, make_recipe(vit, preset="naive", param="fourier"))
    layer = vit.module.get_submodule("patch_embed.proj")
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    for unit, reached in zip(units, pictures.activation[:, 0].tolist(), strict=True):
        weight = layer.weight[number(unit)].double().numpy()
        best = best_in_the_box(weight, float(layer.bias[number(unit)]), mean=0.5, std=0.5)
        assert 0.95 * best <= reached <= best * (1 + 1e-5), str(unit)


def test_diversity_makes_the_samples_of_a_unit_differ_and_keeps_them_excited(
    vit: VisionModel,
) -> None:
    units = featviz.units(vit, "blocks.4.mlp.fc1:2-3")
    alike, activation = {}, {}
    for weight in (0.0, 1.0):
        pictures = optimize(vit, units, make_recipe(vit, steps=48, samples=3, diversity=weight))
        alike[weight] = similarity(torch.stack([features(vit, each) for each in pictures.images]))
        activation[weight] = pictures.activation
    assert (alike[1.0] < alike[0.0]).all()
    assert (activation[1.0].mean(1) > 0.5 * activation[0.0].mean(1)).all()


def features(model: VisionModel, images: Tensor) -> Tensor:
    """What layer 4's neurons see of (D, H, W, 3): (D, tokens, channels)."""
    seen: list[Tensor] = []
    hook = model.module.get_submodule("blocks.4.mlp.fc1").register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    with torch.no_grad():
        model.module((images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)
    hook.remove()
    return seen[0]


def test_smoothness_makes_smoother_pictures(small: VisionModel) -> None:
    def roughness(smoothness: float) -> float:
        units = featviz.units(small, "blocks.1.mlp.fc1:0-3")
        chosen = make_recipe(small, preset="naive", steps=60, tv_weight=smoothness)
        images = optimize(small, units, chosen).images.float()
        return float((images[:, :, 1:] - images[:, :, :-1]).abs().mean())

    assert roughness(10.0) < 0.7 * roughness(0.0)


# Progressive pictures.


def test_progressive_pictures_are_smoother_and_as_exciting(vit: VisionModel) -> None:
    units = featviz.units(vit, "blocks.5.mlp.fc1:0-3")
    progressive = optimize(vit, units, make_recipe(vit, steps=64, frequency_schedule=0.5))
    plain = optimize(vit, units, make_recipe(vit, steps=64, frequency_schedule=0))
    rough, smooth = (
        sum(map(fine_share, pictures.images[:, 0].numpy())) for pictures in (plain, progressive)
    )
    assert smooth < 0.75 * rough
    assert progressive.activation.mean() > 0.9 * plain.activation.mean()


def test_short_memories_make_more_exciting_pictures(vit: VisionModel) -> None:
    """Than Adam's usual betas do in the same steps, on views that neither has seen."""
    faster = []
    for block in (2, 5, 8):
        units = featviz.units(vit, f"blocks.{block}.mlp.fc1:0-7")
        chosen = make_recipe(vit, steps=48)
        found = []
        for made in (chosen, replace(chosen, betas=(0.9, 0.999))):
            images = optimize(vit, units, made).images[:, 0].permute(0, 3, 1, 2) / 255
            with torch.no_grad():
                seen = [featviz.readout(vit, units).paired(view) for view in held_out(images)]
            found.append(torch.stack(seen).mean(0))
        faster += (found[0] > found[1]).tolist()
    assert sum(faster) >= 0.75 * len(faster)


# What is left as found.


def flags(module: nn.Module) -> list[bool | int]:
    found: list[bool | int] = [weight.requires_grad for weight in module.parameters()]
    for part in module.modules():
        found += [part.training, len(part._forward_hooks), len(part._forward_pre_hooks)]
    return found


def unsettle(model: VisionModel) -> None:
    """Give a model flags and a hook of the user's own."""
    model.module.get_submodule("blocks.0").train()
    for weight in model.module.get_submodule("blocks.1").parameters():
        weight.requires_grad_(True)
    model.module.get_submodule("blocks.0").register_forward_hook(lambda *_: None)


def numpy_random_state() -> list[int]:
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    assert isinstance(state, dict)
    return [*state["state"]["key"].tolist(), state["state"]["pos"]]


def test_model_threads_and_random_state_are_left_as_found(small: VisionModel) -> None:
    unsettle(small)
    units = featviz.units(small, "blocks.2.mlp.fc1:0-1")
    chosen = make_recipe(small, steps=3, samples=2)
    before = flags(small.module), torch.get_rng_state().clone(), torch.get_num_threads()
    weights = copy.deepcopy(small.module.state_dict())
    numpy_state = numpy_random_state()
    optimize(small, units, chosen)
    assert flags(small.module) == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.get_num_threads() == before[2]
    assert numpy_random_state() == numpy_state
    assert all(weight.grad is None for weight in small.module.parameters())
    for name, weight in small.module.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_the_model_is_left_as_found_when_it_raises_midway(small: VisionModel) -> None:
    units = featviz.units(small, "blocks.2.mlp.fc1:0-1")
    unsettle(small)
    calls: list[None] = []

    def fail(*_: object) -> None:
        calls.append(None)
        if len(calls) == 3:
            raise RuntimeError("the model gave up")

    small.module.get_submodule("blocks.1").register_forward_hook(fail)
    before, state = flags(small.module), torch.get_rng_state().clone()
    with pytest.raises(RuntimeError, match="the model gave up"):
        optimize(small, units, make_recipe(small, steps=9))
    assert flags(small.module) == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("block", range(4))
def test_blocks_after_the_units_block_are_never_called(small: VisionModel, block: int) -> None:
    units = featviz.units(small, f"blocks.{block}.mlp.fc1:0-1")
    calls = dict.fromkeys(range(4), 0)

    def count(block: int) -> None:
        calls[block] += 1

    for depth in range(4):
        small.module.get_submodule(f"blocks.{depth}").register_forward_pre_hook(
            lambda *_, depth=depth: count(depth)
        )
    optimize(small, units, make_recipe(small, steps=3))
    # Three steps, and the measurement of the stored picture.
    assert calls == {number: 4 if number <= block else 0 for number in range(4)}


def test_every_step_is_told(small: VisionModel) -> None:
    ticks: list[None] = []
    units = featviz.units(small, "blocks.0.mlp.fc1:0-2")
    optimize(small, units, make_recipe(small, steps=7), lambda: ticks.append(None))
    assert len(ticks) == 7
