from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from featviz.parametrization.base import Parametrization
from featviz.parametrization.fourier import Fourier, color_mixing, spectrum_scale
from featviz.parametrization.pixel import Pixel
from tests.oracles import fourier

SIZES = [(8, 8), (7, 7), (6, 9), (9, 6), (5, 12), (1, 4), (4, 1)]
BOTH_KINDS = pytest.mark.parametrize("kind", [Pixel, Fourier])


def parameters_of(image: Parametrization, seed: int = 0, size: float = 1.0) -> Tensor:
    """Return parameters of one image that are large enough for every frequency to show."""
    return image.initial(torch.Generator().manual_seed(seed)) * (100 * size)


@pytest.mark.parametrize("decay", [1.0, 1.5])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_fourier_image_agrees_with_lucids_sum_of_sinusoids(
    height: int, width: int, decay: float
) -> None:
    image = Fourier(height, width, decay)
    parameters = torch.stack([parameters_of(image, seed, 0.3) for seed in range(2)])
    expected = [
        fourier.fourier_image(each.double().numpy(), height, width, decay) for each in parameters
    ]
    np.testing.assert_allclose(
        image.decode(parameters).numpy(), np.stack(expected), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("decay", [1.0, 1.5])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_each_frequency_is_scaled_as_in_lucid(height: int, width: int, decay: float) -> None:
    expected = [
        [fourier.scale(ky, kx, height, width, decay) for kx in range(width // 2 + 1)]
        for ky in range(height)
    ]
    found = spectrum_scale(height, width, decay).numpy()
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-5)


def test_a_pixel_image_is_the_sigmoid_of_its_parameters() -> None:
    parameters = torch.tensor([-1000.0, -2.0, 0.0, math.log(3), 1000.0])
    decoded = Pixel(1, 5).decode(parameters.expand(1, 3, 1, 5))
    expected = torch.tensor([0, 1 / (1 + math.exp(2)), 0.5, 0.75, 1])
    torch.testing.assert_close(decoded, expected.expand(1, 3, 1, 5))


@BOTH_KINDS
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_images_have_the_given_size_and_are_in_0_1(
    kind: type[Pixel | Fourier], height: int, width: int
) -> None:
    image = kind(height, width)
    for size in (0.01, 1, 1e4):
        decoded = image.decode(torch.stack([parameters_of(image, seed, size) for seed in range(2)]))
        assert decoded.shape == (2, 3, height, width)
        assert 0 <= decoded.min() <= decoded.max() <= 1


@BOTH_KINDS
def test_an_image_starts_near_gray_with_some_noise(kind: type[Pixel | Fourier]) -> None:
    image = kind(64, 48)
    decoded = image.decode(image.initial(torch.Generator().manual_seed(0))[None])
    assert 0 < decoded.std() < 0.05
    assert abs(decoded.mean() - 0.5) < 0.05


@BOTH_KINDS
@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9)])
def test_every_parameter_that_affects_the_image_has_a_gradient(
    kind: type[Pixel | Fourier], height: int, width: int
) -> None:
    image = kind(height, width)
    parameters = parameters_of(image, size=0.1)[None].requires_grad_()
    weights = torch.randn(3, height, width, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((image.decode(parameters) * weights).sum(), parameters)
    reached = gradient[0] != 0
    if kind is Fourier:
        # A frequency that is its own mirror image has no imaginary part.
        halves = [(0,) if n % 2 else (0, n // 2) for n in (height, width)]
        for ky, kx in itertools.product(*halves):
            assert gradient[0, :, ky, kx, 1].abs().max() < 1e-6
            reached[:, ky, kx, 1] = True
    assert reached.all()


@pytest.mark.parametrize("decay", [1.0, 1.5])
@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 7), (4, 7)])
def test_the_gradient_of_a_fourier_image_agrees_with_finite_differences(
    height: int, width: int, decay: float
) -> None:
    """Central differences of the reference, in double precision."""
    image = Fourier(height, width, decay)
    parameters = parameters_of(image, size=0.2)[None].requires_grad_()
    weights = torch.randn(3, height, width, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((image.decode(parameters) * weights).sum(), parameters)
    start = parameters.detach()[0].double().numpy()
    for index in [(0, 0, 0, 0), (1, 1, 0, 1), (2, 2, 1, 0), (0, 3, width // 2, 1), (1, 0, 1, 1)]:
        ends = []
        for step in (1e-5, -1e-5):
            moved = start.copy()
            moved[index] += step
            decoded = fourier.fourier_image(moved, height, width, decay)
            ends.append((decoded * weights.numpy()).sum())
        slope = (ends[0] - ends[1]) / 2e-5
        assert gradient[0][index].item() == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_the_gradient_of_a_pixel_image_is_that_of_the_sigmoid() -> None:
    parameters = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Pixel(4, 5).decode, parameters)


@BOTH_KINDS
def test_a_start_depends_on_its_generator_only(kind: type[Pixel | Fourier]) -> None:
    image, generator = kind(8, 8), torch.Generator().manual_seed(5)
    first, second = image.initial(generator), image.initial(generator)
    with torch.random.fork_rng():
        torch.manual_seed(123)
        before = torch.get_rng_state()
        repeated = image.initial(torch.Generator().manual_seed(5))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, repeated)
    assert not torch.equal(first, second)


@BOTH_KINDS
def test_decoding_does_not_depend_on_the_batch(kind: type[Pixel | Fourier]) -> None:
    image = kind(33, 20)
    parameters = torch.stack([parameters_of(image, seed, 0.3) for seed in range(5)])
    together = image.decode(parameters)
    for k in range(5):
        torch.testing.assert_close(image.decode(parameters[k : k + 1])[0], together[k])


def test_the_longest_column_of_the_color_matrix_has_norm_1() -> None:
    norms = color_mixing().square().sum(0).sqrt()
    assert norms.max().item() == pytest.approx(1, abs=1e-6)
    assert norms.argmax() == 0


def test_the_columns_of_the_color_matrix_are_luminance_and_two_opponent_colors() -> None:
    luminance, red_blue, green_magenta = color_mixing().T
    assert (luminance > 0).all()
    assert luminance.min() / luminance.max() > 0.95
    assert red_blue[0] * red_blue[2] < 0
    assert green_magenta[1] * green_magenta[0] < 0
    assert green_magenta[1] * green_magenta[2] < 0


def test_a_larger_decay_gives_a_smoother_start() -> None:
    def roughness(decay: float) -> float:
        image = Fourier(64, 64, decay)
        plane = image.decode(image.initial(torch.Generator().manual_seed(0))[None])
        return float((plane[..., 1:] - plane[..., :-1]).std() / plane.std())

    assert roughness(0.0) > roughness(1.0) > roughness(1.5)


def test_each_parameter_changes_the_image_at_its_frequency_only() -> None:
    image = Fourier(12, 10)
    frequencies = image.frequencies().expand(12, 6, 2)
    down, across = torch.fft.fftfreq(12)[:, None], torch.fft.fftfreq(10)
    for ky, kx in [(0, 0), (1, 0), (0, 3), (5, 2), (6, 5), (9, 1)]:
        parameters = torch.zeros(1, 3, 12, 6, 2)
        parameters[0, :, ky, kx] = 1e-3
        energy = torch.fft.fft2(image.decode(parameters).double() - 0.5)[0].abs().sum(0)
        found = torch.hypot(down, across)[energy > 0.4 * energy.max()]
        torch.testing.assert_close(found, frequencies[ky, kx, :1].expand_as(found))
