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
    """Three colors of three slopes, around a mean that is not gray."""
    levels = ((0.3, 0.05), (0.2, 0.1), (0.1, 0.2))
    return Spectrum("uneven", COLORED, (0.1, 0.5), levels)


def start(image: Maco, seed: int = 0) -> Tensor:
    return image.initial(torch.Generator().manual_seed(seed))


def waves(image: Maco, numbers: Tensor) -> Tensor:
    """Undo the sigmoid, its slope at the mean color and the mixing: planes (N, 3, H, W)."""
    mean = torch.tensor(image.spectrum.mean, dtype=torch.float64)[:, None, None]
    decoded = image.decode(numbers).double()
    colors = (decoded.logit() - mean.logit()) * mean * (1 - mean)
    return torch.einsum("kc,nchw->nkhw", torch.linalg.inv(color_mixing().double()), colors)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_an_image_has_the_prescribed_magnitudes_whatever_its_phases(
    height: int, width: int, size: float
) -> None:
    image = Maco(height, width, uneven())
    found = waves(image, torch.stack([start(image, seed) * size for seed in range(2)]))
    expected = image.spectrum.magnitude(height, width)
    for planes, (ky, kx) in itertools.product(
        found.numpy(), itertools.product(range(height), range(width))
    ):
        for plane, wanted in zip(planes, expected, strict=True):
            half = (ky, kx) if kx <= width // 2 else (-ky % height, width - kx)
            magnitude = abs(coefficient(plane, ky, kx))
            assert magnitude == pytest.approx(wanted[half].item(), abs=2e-4)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (6, 9), (9, 6)])
def test_each_number_is_the_phase_of_its_wave(height: int, width: int) -> None:
    """Except in columns that are their own mirror images, where pairs of numbers make one phase."""
    image = Maco(height, width, uneven())
    numbers = start(image)
    planes = waves(image, numbers[None])[0].numpy()
    for plane, phases in zip(planes, numbers.double().numpy(), strict=True):
        for ky, kx in itertools.product(range(height), range(width // 2 + 1)):
            if (ky, kx) == (0, 0):
                continue
            phase = phases[ky, kx]
            if 2 * kx % width == 0:
                phase = (phase - phases[-ky % height, kx]) / 2
            found = coefficient(plane, ky, kx)
            assert found / abs(found) == pytest.approx(np.exp(1j * phase), abs=1e-3)


def test_the_mean_before_squashing_is_the_mean_color() -> None:
    image = Maco(12, 9, uneven())
    decoded = image.decode(torch.stack([start(image, seed) for seed in range(3)])).double()
    expected = torch.tensor(COLORED).double().logit().expand(3, 3)
    torch.testing.assert_close(decoded.logit().mean((2, 3)), expected, rtol=0, atol=1e-5)


def test_a_faint_image_is_the_mean_color_plus_its_waves() -> None:
    faint = Spectrum("faint", COLORED, (0.1, 0.5), ((1e-3, 1e-3), (2e-3, 1e-3), (1e-3, 2e-3)))
    image = Maco(8, 8, faint)
    numbers = start(image)[None]
    mixed = torch.einsum("ck,nkhw->nchw", color_mixing().double(), waves(image, numbers))
    expected = mixed + torch.tensor(COLORED)[:, None, None]
    torch.testing.assert_close(image.decode(numbers).double(), expected, rtol=0, atol=3e-5)
    assert mixed.abs().max() > 1e-3


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_images_have_their_size_and_stay_between_0_and_1(height: int, width: int) -> None:
    wild = Spectrum("wild", (0.01, 0.5, 0.99), (0.1, 0.5), ((1e3, 1e3),) * 3)
    image = Maco(height, width, wild)
    decoded = image.decode(torch.stack([start(image, seed) for seed in range(2)]))
    assert decoded.shape == (2, 3, height, width)
    assert 0 <= decoded.min() <= decoded.max() <= 1


def test_phases_start_anywhere_on_the_circle_and_depend_on_their_generator_alone() -> None:
    image, generator = Maco(64, 64, power_law(1.0, 64, 64)), torch.Generator().manual_seed(5)
    first, second = image.initial(generator), image.initial(generator)
    counts = torch.histc(first, bins=8, min=-math.pi, max=math.pi)
    assert counts.sum() == first.numel() == 3 * 64 * 33
    assert (counts / first.numel() - 1 / 8).abs().max() < 0.02
    assert torch.equal(first, image.initial(torch.Generator().manual_seed(5)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (6, 7)])
def test_the_gradient_is_the_slope_and_reaches_every_wave_that_can_move(
    height: int, width: int
) -> None:
    """Against central differences; a wave that is its own mirror image stands still."""
    image = Maco(height, width, uneven())
    numbers = start(image)[None].requires_grad_()
    dice = torch.Generator().manual_seed(1)
    weights = torch.randn(3, height, width, generator=dice, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((image.decode(numbers) * weights).sum(), numbers)
    halves = [(0,) if n % 2 else (0, n // 2) for n in (height, width)]
    still = torch.zeros(height, width // 2 + 1, dtype=torch.bool)
    for ky, kx in itertools.product(*halves):
        still[ky, kx] = True
    assert (gradient[0, :, still] == 0).all()
    assert (gradient[0, :, ~still] != 0).all()
    for place in [(0, 1, 0), (1, 2, 1), (2, 3, width // 2), (0, height - 1, 2)]:
        ends = []
        for step in (0.01, -0.01):
            moved = numbers.detach().clone()
            moved[(0, *place)] += step
            ends.append((image.decode(moved).double() * weights).sum().item())
        slope = (ends[0] - ends[1]) / 0.02
        assert gradient[0][place].item() == pytest.approx(slope, rel=2e-3, abs=1e-4)


def test_a_picture_decodes_the_same_beside_others() -> None:
    image = Maco(33, 20, uneven())
    numbers = torch.stack([start(image, seed) for seed in range(4)])
    together = image.decode(numbers)
    for k in range(4):
        torch.testing.assert_close(image.decode(numbers[k : k + 1])[0], together[k])


def test_optimizing_moves_the_waves_and_keeps_their_magnitudes() -> None:
    """Of the whole canvas (without views the picture); of the light, which 8 bits keep best."""
    model = featviz.load("cueworld/vit", device="cpu")
    chosen = make_recipe(model, preset="naive", param="maco", size=32, steps=20)
    canvas = PaddedImage(chosen, model.image_size).parametrization
    assert isinstance(canvas, Maco)
    pictures = optimize(model, featviz.units(model, "blocks.1.mlp.fc1:3"), chosen)
    images = pictures.images[0].permute(0, 3, 1, 2).double() / 255
    planes = torch.einsum(
        "kc,nchw->nkhw", torch.linalg.inv(color_mixing().double()), images.logit() / 4
    )
    found, expected = torch.fft.rfft2(planes[0, 0]).abs(), canvas.spectrum.magnitude(32, 32)[0]
    assert (found - expected).norm() < 0.01 * expected.norm()
    trajectory = pictures.trajectory[0, 0]
    assert trajectory[-1] > trajectory[0] + 0.5 * trajectory[0].abs()
