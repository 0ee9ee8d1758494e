from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from featviz.analysis.scores.metrics import fine_share, grid_share
from tests.oracles import spectrum

Picture = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(8, 8), (12, 8), (9, 7), (16, 4)])
def test_the_fine_share_is_that_of_the_sums_over_pixels(shape: tuple[int, int]) -> None:
    picture = noise(*shape)
    assert fine_share(picture) == pytest.approx(spectrum.fine_share(picture), rel=1e-9)


@pytest.mark.parametrize(
    ("shape", "period"), [((8, 8), 4), ((12, 8), 4), ((9, 6), 3), ((32, 48), 16)]
)
def test_the_grid_share_is_what_the_mean_cell_keeps(shape: tuple[int, int], period: int) -> None:
    picture = noise(*shape)
    assert grid_share(picture, period) == pytest.approx(
        spectrum.grid_share(picture, period), rel=1e-9
    )


def test_white_noise_has_its_energy_spread_evenly() -> None:
    """Outside a disc of radius 1/4, and on the 255 points of a grid of 16 pixels."""
    picture = noise(128, 128)
    assert fine_share(picture) == pytest.approx(1 - np.pi / 16, abs=0.02)
    assert grid_share(picture) == pytest.approx(255 / (128**2 - 1), rel=0.3)


def test_a_tiled_picture_is_all_grid_and_a_slow_wave_neither_fine_nor_grid() -> None:
    tiled = np.tile(noise(16, 16), (8, 8, 1))
    assert grid_share(tiled) == pytest.approx(1)
    down = np.sin(2 * np.pi * 5 / 128 * np.arange(128))[:, None, None]
    wave = np.broadcast_to(down, (128, 128, 3))
    slow = (127 + 100 * wave).astype(np.uint8)
    assert fine_share(slow) < 0.001
    assert grid_share(slow) < 0.001


def test_a_checkerboard_is_all_fine_and_off_the_grid_of_odd_cells() -> None:
    board = np.indices((12, 12)).sum(0)[..., None].repeat(3, 2) % 2 * 255
    assert fine_share(board.astype(np.uint8)) == pytest.approx(1)
    assert grid_share(board.astype(np.uint8), 2) == pytest.approx(1)
    assert grid_share(board.astype(np.uint8), 3) == pytest.approx(0, abs=1e-12)


def test_an_even_picture_has_no_shares() -> None:
    even = np.full((8, 8, 3), 77, np.uint8)
    assert np.isnan([fine_share(even), grid_share(even, 4)]).all()


def test_one_pixel_off_by_one_step_has_shares() -> None:
    picture = np.full((256, 256, 3), 77, np.uint8)
    picture[3, 5, 2] = 78
    # A single point has the same energy at every frequency.
    assert fine_share(picture) == pytest.approx(1 - np.pi / 16, abs=0.01)


def test_the_cells_that_are_cut_off_do_not_count() -> None:
    tiled = np.tile(noise(5, 5), (4, 4, 1))
    assert grid_share(tiled[:18, :17], 5) == pytest.approx(1)
    assert np.isnan(grid_share(tiled[:4], 5))
