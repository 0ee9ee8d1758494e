"""Textures at points computed by hand, and noise against its spectrum."""

from __future__ import annotations

import pytest
import torch

from featviz.cueworld.random_draws import Draws
from featviz.cueworld.textures import noise, textures
from featviz.cueworld.world import TEXTURES

# For every texture: points (s, t, rho) in the middle of the dark areas, and of the light ones.
POINTS = {
    "stripes": ([(0.25, 0.9, 0.0), (1.25, 0.1, 0.0)], [(0.75, 0.9, 0.0), (-0.25, 0.2, 0.0)]),
    "checker": ([(0.5, 0.5, 0.0), (1.5, 1.5, 0.0)], [(1.5, 0.5, 0.0), (0.5, 1.5, 0.0)]),
    "dots": ([(0.5, 0.5, 0.0), (1.0, 1.5, 0.0)], [(0.0, 0.5, 0.0), (0.5, 1.5, 0.0)]),
    # Arcs of radius 0.62 around (0.5, 0), half a period to the left in every other row.
    "scales": ([(0.5, 0.62, 0.0), (1.0, 1.62, 0.0)], [(0.5, 0.1, 0.0), (0.5, 0.95, 0.0)]),
    "hatch": ([(0.5, 0.1, 0.0), (0.1, 0.5, 0.0)], [(0.0, 0.0, 0.0), (1.0, 2.0, 0.0)]),
    "rings": ([(0.0, 0.0, 0.25), (0.9, 0.4, 1.25)], [(0.0, 0.0, 0.75), (0.9, 0.4, 1.75)]),
}


@pytest.mark.parametrize("name", TEXTURES)
def test_a_texture_is_dark_and_light_where_it_should_be(name: str) -> None:
    which = TEXTURES.index(name)
    dark, light = (textures(*torch.tensor(points).T)[which] for points in POINTS[name])
    assert dark.min() > 0.95
    assert light.max() < 0.05


@pytest.mark.parametrize("name", [name for name in TEXTURES if name != "rings"])
def test_a_texture_repeats_after_one_period_across_and_two_down(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    s, t = torch.rand(2, 500, generator=generator, dtype=torch.float64)
    which = TEXTURES.index(name)
    period = 2 if name == "checker" else 1
    here = textures(s, t, s)[which]
    torch.testing.assert_close(here, textures(s + period, t, s)[which], atol=1e-9, rtol=0)
    torch.testing.assert_close(here, textures(s, t + 2, s)[which], atol=1e-9, rtol=0)


@pytest.mark.parametrize("size", [32, 33])
def test_noise_has_mean_zero_and_deviation_one(size: int) -> None:
    field = noise(size, 1.2, Draws(4, torch.Generator().manual_seed(0)))
    assert field.shape == (4, 1, size, size)
    torch.testing.assert_close(field.mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(field.std((1, 2, 3)), torch.ones(4))


def test_the_amplitude_of_noise_falls_as_the_power_of_frequency() -> None:
    size, decay = 32, 1.4
    field = noise(size, decay, Draws(1, torch.Generator().manual_seed(1)))[0, 0].double()
    amplitude = torch.fft.fft2(field).abs()
    # From the first harmonic across: twice the frequency, and the diagonal.
    first = amplitude[0, 3]
    torch.testing.assert_close(amplitude[0, 6] / first, torch.tensor(2**-decay).double())
    torch.testing.assert_close(amplitude[3, 3] / first, torch.tensor(2 ** (-decay / 2)).double())
    torch.testing.assert_close(amplitude[-6, 3] / first, torch.tensor(5 ** (-decay / 2)).double())
