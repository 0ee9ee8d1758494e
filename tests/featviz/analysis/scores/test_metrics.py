from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from featviz.analysis.scores.metrics import (
    MAX_LATE_GAIN,
    converged,
    fine_share,
    grid_share,
    late_gain,
)
from tests.oracles import spectrum

Picture = NDArray[np.uint8]

# Convergence.


def test_a_constant_trajectory_has_no_late_gain_and_has_not_converged() -> None:
    """A unit that does not depend on the image has nothing to converge to."""
    flat = late_gain(np.full((2, 3, 16), -4.0))
    assert np.isnan(flat).all()
    assert not converged(flat).any()


@pytest.mark.parametrize("steps", [4, 16, 17, 512])
def test_the_late_gain_of_a_linear_trajectory_equals_that_computed_by_hand(steps: int) -> None:
    """Over 0, 1, ..., T - 1, the mean of a stretch is that of its ends."""
    half, quarter = steps // 2, steps // 4
    late, before = (half + steps - 1) / 2, (quarter + half - 1) / 2
    line = np.arange(steps, dtype=np.float32)
    assert late_gain(3 * line - 7) == pytest.approx((late - before) / late, rel=1e-6)


def test_the_late_gain_of_a_logarithm_is_one_doubling_of_all() -> None:
    """A logarithm to base 2 gains 1 with each doubling of the steps."""
    steps = np.arange(1, 2**14 + 1)
    late = np.log2(steps[2**13 :]).mean()
    assert late_gain(np.log2(steps)) == pytest.approx(1 / late, rel=1e-3)


def test_a_trajectory_that_is_flat_after_a_quarter_has_converged() -> None:
    early = np.minimum(np.arange(64) / 16, 1)
    assert late_gain(early) == 0
    assert converged(late_gain(early))


def test_a_decreasing_trajectory_has_no_late_gain_and_has_not_converged() -> None:
    falling = late_gain(-np.arange(32.0))
    assert np.isnan(falling)
    assert not converged(falling)


def test_a_trajectory_with_an_early_peak_has_a_negative_late_gain() -> None:
    peak = np.concatenate([np.linspace(0, 2, 16), np.linspace(2, 1, 16)])
    assert late_gain(peak) < 0


def test_fewer_than_four_steps_have_no_late_gain() -> None:
    for steps in (1, 2, 3):
        assert np.isnan(late_gain(np.arange(steps, dtype=np.float64))).all()


@given(
    st.lists(st.floats(0, 1), min_size=8, max_size=40),
    st.floats(0.1, 100),
    st.floats(-100, 100),
)
def test_neither_scale_nor_offset_of_a_unit_changes_its_late_gain(
    values: list[float], scale: float, offset: float
) -> None:
    trajectory = np.array([-1.0, *values, 2.0])
    assert late_gain(trajectory * scale + offset) == pytest.approx(late_gain(trajectory), abs=1e-6)


def test_an_optimization_has_converged_below_a_late_gain_of_a_tenth() -> None:
    assert MAX_LATE_GAIN == 0.1
    assert converged(np.array([-0.2, 0.0999, 0.1, 0.5, np.nan])).tolist() == [1, 1, 0, 0, 0]
    assert not converged(0.1)


# Energy by spatial frequency.


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(8, 8), (12, 8), (9, 7), (16, 4)])
def test_the_fine_share_equals_that_of_the_fourier_sums(shape: tuple[int, int]) -> None:
    picture = noise(*shape)
    assert fine_share(picture) == pytest.approx(spectrum.fine_share(picture), rel=1e-9)


@pytest.mark.parametrize(
    ("shape", "period"), [((8, 8), 4), ((12, 8), 4), ((9, 6), 3), ((32, 48), 16)]
)
def test_the_grid_share_is_the_energy_of_the_mean_cell(shape: tuple[int, int], period: int) -> None:
    picture = noise(*shape)
    expected = spectrum.grid_share(picture, period)
    assert grid_share(picture, period) == pytest.approx(expected, rel=1e-9)


def test_the_energy_of_white_noise_is_evenly_distributed() -> None:
    """Outside a disc of radius 1/4, and on the 255 frequencies of a grid of 16 pixels."""
    picture = noise(128, 128)
    assert fine_share(picture) == pytest.approx(1 - np.pi / 16, abs=0.02)
    assert grid_share(picture) == pytest.approx(255 / (128**2 - 1), rel=0.3)


def test_a_tiled_picture_has_only_grid_energy_and_a_slow_wave_neither() -> None:
    tiled = np.tile(noise(16, 16), (8, 8, 1))
    assert grid_share(tiled) == pytest.approx(1)
    vertical = np.sin(2 * np.pi * 5 / 128 * np.arange(128))[:, None, None]
    wave = np.broadcast_to(vertical, (128, 128, 3))
    slow = (127 + 100 * wave).astype(np.uint8)
    assert fine_share(slow) < 0.001
    assert grid_share(slow) < 0.001


def test_a_checkerboard_has_only_fine_energy_and_none_on_a_grid_of_odd_cells() -> None:
    board = np.indices((12, 12)).sum(0)[..., None].repeat(3, 2) % 2 * 255
    assert fine_share(board.astype(np.uint8)) == pytest.approx(1)
    assert grid_share(board.astype(np.uint8), 2) == pytest.approx(1)
    assert grid_share(board.astype(np.uint8), 3) == pytest.approx(0, abs=1e-12)


def test_a_uniform_picture_has_no_shares_and_one_different_pixel_is_enough() -> None:
    uniform = np.full((8, 8, 3), 77, np.uint8)
    assert np.isnan([fine_share(uniform), grid_share(uniform, 4)]).all()
    picture = np.full((256, 256, 3), 77, np.uint8)
    picture[3, 5, 2] = 78
    # A single point has the same energy at every frequency.
    assert fine_share(picture) == pytest.approx(1 - np.pi / 16, abs=0.01)


def test_incomplete_cells_are_cropped() -> None:
    tiled = np.tile(noise(5, 5), (4, 4, 1))
    assert grid_share(tiled[:18, :17], 5) == pytest.approx(1)
    assert np.isnan(grid_share(tiled[:4], 5))
