"""Paint against the definition of luminance, and noise against its spectrum."""

from __future__ import annotations

import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz.cueworld.dice import Dice
from featviz.cueworld.paint import noise, paint

SHARE = st.floats(0, 1)


def column(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@given(hue=SHARE, luma=SHARE, fade=SHARE)
def test_paint_has_exactly_the_luminance_asked_for(hue: float, luma: float, fade: float) -> None:
    red, green, blue = paint(column(hue), column(luma), column(fade))[0].tolist()
    assert 0.299 * red + 0.587 * green + 0.114 * blue == pytest.approx(luma, abs=1e-12)
    assert min(red, green, blue) >= 0
    assert max(red, green, blue) <= 1


@given(hue=st.floats(0, 0.999), luma=st.floats(0.05, 0.95))
def test_paint_has_the_hue_asked_for(hue: float, luma: float) -> None:
    found, _, _ = colorsys.rgb_to_hsv(*paint(column(hue), column(luma))[0].tolist())
    assert abs((found - hue + 0.5) % 1 - 0.5) < 1e-9


@given(hue=SHARE, luma=st.floats(0.05, 0.95))
def test_paint_is_as_saturated_as_its_luminance_allows(hue: float, luma: float) -> None:
    rgb = paint(column(hue), column(luma))[0]
    assert rgb.min() < 1e-9 or rgb.max() > 1 - 1e-9


def test_faded_paint_is_gray() -> None:
    gray = paint(torch.tensor([0.3]), torch.tensor([0.6]), torch.tensor([1.0]))
    torch.testing.assert_close(gray, torch.full((1, 3), 0.6))


@pytest.mark.parametrize("size", [32, 33])
def test_noise_has_mean_zero_and_deviation_one(size: int) -> None:
    field = noise(size, 1.2, Dice(4, torch.Generator().manual_seed(0)))
    assert field.shape == (4, 1, size, size)
    torch.testing.assert_close(field.mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(field.std((1, 2, 3)), torch.ones(4))


def test_the_amplitude_of_noise_falls_as_the_power_of_frequency() -> None:
    size, decay = 32, 1.4
    field = noise(size, decay, Dice(1, torch.Generator().manual_seed(1)))[0, 0].double()
    amplitude = torch.fft.fft2(field).abs()
    # From the first harmonic across: twice the frequency, and the diagonal.
    first = amplitude[0, 3]
    torch.testing.assert_close(amplitude[0, 6] / first, torch.tensor(2**-decay).double())
    torch.testing.assert_close(amplitude[3, 3] / first, torch.tensor(2 ** (-decay / 2)).double())
    torch.testing.assert_close(amplitude[-6, 3] / first, torch.tensor(5 ** (-decay / 2)).double())
