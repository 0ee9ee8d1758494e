from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

import featviz
from featviz.optimization.optimize import PaddedImage, optimize
from featviz.optimization.recipe import make_recipe
from featviz.parametrization.fourier import color_mixing
from featviz.parametrization.maco import Maco
from featviz.parametrization.spectrum import Spectrum, power_law
from tests.oracles.spectrum import coefficient

SIZES = [(8, 8), (7, 7), (6, 9), (9, 6), (5, 12), (1, 4), (4, 1)]
COLORED = (0.3, 0.45, 0.6)


def uneven() -> Spectrum:
    """Return a spectrum whose channels have different slopes, and whose mean is not gray."""
    levels = ((0.3, 0.05), (0.2, 0.1), (0.1, 0.2))
    return Spectrum("uneven", COLORED, (0.1, 0.5), levels)


def start(image: Maco, seed: int = 0) -> Tensor:
    return image.initial(torch.Generator().manual_seed(seed))


def planes_of(image: Maco, parameters: Tensor) -> Tensor:
    """Decode, and invert the sigmoid, its slope at the mean color and the mixing: (N, 3, H, W)."""
    mean = torch.tensor(image.spectrum.mean, dtype=torch.float64)[:, None, None]
    decoded = image.decode(parameters).double()
    colors = (decoded.logit() - mean.logit()) * mean * (1 - mean)
    return torch.einsum("kc,nchw->nkhw", torch.linalg.inv(color_mixing().double()), colors)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_magnitudes_are_those_of_the_spectrum_for_any_phases(
    height: int, width: int, size: float
) -> None:
    image = Maco(height, width, uneven())
    found = planes_of(image, torch.stack([start(image, seed) * size for seed in range(2)]))
    expected = image.spectrum.magnitude(height, width)
    for planes, (ky, kx) in itertools.product(
        found.numpy(), itertools.product(range(height), range(width))
    ):
        for plane, magnitudes in zip(planes, expected, strict=True):
            half = (ky, kx) if kx <= width // 2 else (-ky % height, width - kx)
            magnitude = abs(coefficient(plane, ky, kx))
            assert magnitude == pytest.approx(magnitudes[half].item(), abs=2e-4)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (6, 9), (9, 6)])
def test_each_parameter_is_the_phase_of_its_frequency(height: int, width: int) -> None:
    """In columns that are their own mirror images, a phase is the half difference of a pair."""
    image = Maco(height, width, uneven())
    parameters = start(image)
    planes = planes_of(image, parameters[None])[0].numpy()
    for plane, phases in zip(planes, parameters.double().numpy(), strict=True):
        for ky, kx in itertools.product(range(height), range(width // 2 + 1)):
            if (ky, kx) == (0, 0):
                continue
            phase = phases[ky, kx]
            if 2 * kx % width == 0:
                phase = (phase - phases[-ky % height, kx]) / 2
            found = coefficient(plane, ky, kx)
            assert found / abs(found) == pytest.approx(np.exp(1j * phase), abs=1e-3)


def test_the_mean_before_the_sigmoid_is_the_mean_color() -> None:
    image = Maco(12, 9, uneven())
    decoded = image.decode(torch.stack([start(image, seed) for seed in range(3)])).double()
    expected = torch.tensor(COLORED).double().logit().expand(3, 3)
    torch.testing.assert_close(decoded.logit().mean((2, 3)), expected, rtol=0, atol=1e-5)


def test_an_image_of_low_contrast_is_the_mean_color_plus_its_planes() -> None:
    faint = Spectrum("faint", COLORED, (0.1, 0.5), ((1e-3, 1e-3), (2e-3, 1e-3), (1e-3, 2e-3)))
    image = Maco(8, 8, faint)
    parameters = start(image)[None]
    mixed = torch.einsum("ck,nkhw->nchw", color_mixing().double(), planes_of(image, parameters))
    expected = mixed + torch.tensor(COLORED)[:, None, None]
    torch.testing.assert_close(image.decode(parameters).double(), expected, rtol=0, atol=3e-5)
    assert mixed.abs().max() > 1e-3


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_images_have_the_given_size_and_are_in_0_1(height: int, width: int) -> None:
    strong = Spectrum("strong", (0.01, 0.5, 0.99), (0.1, 0.5), ((1e3, 1e3),) * 3)
    image = Maco(height, width, strong)
    decoded = image.decode(torch.stack([start(image, seed) for seed in range(2)]))
    assert decoded.shape == (2, 3, height, width)
    assert 0 <= decoded.min() <= decoded.max() <= 1


def test_initial_phases_are_uniform_and_depend_on_their_generator_only() -> None:
    image, generator = Maco(64, 64, power_law(1.0, 64, 64)), torch.Generator().manual_seed(5)
    first, second = image.initial(generator), image.initial(generator)
    counts = torch.histc(first, bins=8, min=-math.pi, max=math.pi)
    assert counts.sum() == first.numel() == 3 * 64 * 33
    assert (counts / first.numel() - 1 / 8).abs().max() < 0.02
    assert torch.equal(first, image.initial(torch.Generator().manual_seed(5)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (6, 7)])
def test_the_gradient_agrees_with_finite_differences_and_reaches_every_free_phase(
    height: int, width: int
) -> None:
    """A frequency that is its own mirror image has no free phase."""
    image = Maco(height, width, uneven())
    parameters = start(image)[None].requires_grad_()
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(3, height, width, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((image.decode(parameters) * weights).sum(), parameters)
    halves = [(0,) if n % 2 else (0, n // 2) for n in (height, width)]
    fixed = torch.zeros(height, width // 2 + 1, dtype=torch.bool)
    for ky, kx in itertools.product(*halves):
        fixed[ky, kx] = True
    assert (gradient[0, :, fixed] == 0).all()
    assert (gradient[0, :, ~fixed] != 0).all()
    for index in [(0, 1, 0), (1, 2, 1), (2, 3, width // 2), (0, height - 1, 2)]:
        ends = []
        for step in (0.01, -0.01):
            moved = parameters.detach().clone()
            moved[(0, *index)] += step
            ends.append((image.decode(moved).double() * weights).sum().item())
        slope = (ends[0] - ends[1]) / 0.02
        assert gradient[0][index].item() == pytest.approx(slope, rel=2e-3, abs=1e-4)


def test_decoding_does_not_depend_on_the_batch() -> None:
    image = Maco(33, 20, uneven())
    parameters = torch.stack([start(image, seed) for seed in range(4)])
    together = image.decode(parameters)
    for k in range(4):
        torch.testing.assert_close(image.decode(parameters[k : k + 1])[0], together[k])


def test_optimization_changes_phases_and_keeps_magnitudes() -> None:
    """The magnitudes are those of the luminance, which 8 bits preserve best."""
    model = featviz.load("cueworld/vit", device="cpu")
    recipe = make_recipe(model, preset="naive", param="maco", size=32, steps=20)
    image = PaddedImage(recipe, model.image_size).parametrization
    assert isinstance(image, Maco)
    pictures = optimize(model, featviz.units(model, "blocks.1.mlp.fc1:3"), recipe)
    images = pictures.images[0].permute(0, 3, 1, 2).double() / 255
    planes = torch.einsum(
        "kc,nchw->nkhw", torch.linalg.inv(color_mixing().double()), images.logit() / 4
    )
    found, expected = torch.fft.rfft2(planes[0, 0]).abs(), image.spectrum.magnitude(32, 32)[0]
    assert (found - expected).norm() < 0.01 * expected.norm()
    trajectory = pictures.trajectory[0, 0]
    assert trajectory[-1] > trajectory[0] + 0.5 * trajectory[0].abs()
