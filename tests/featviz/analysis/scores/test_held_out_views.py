from __future__ import annotations

import math

import pytest
import torch

from featviz.analysis.scores.held_out_views import SCALES, SHIFT, SIZES, VIEWS, held_out
from featviz.optimization.presets import PRESETS

SIDE = 40


def picture(seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def test_shifts_and_scales_are_beyond_those_of_every_preset() -> None:
    side = 128
    for preset in PRESETS.values():
        assert SHIFT * side > preset.augmentation.shift
        assert all(abs(math.log(scale)) > preset.augmentation.zoom for scale in SCALES)


def test_every_view_has_a_name_and_the_shape_of_the_pictures() -> None:
    views = held_out(picture())
    assert views.shape == (len(VIEWS), 2, 3, SIDE, SIDE)
    assert VIEWS[:4] == ("shift -0.3 -0.3", "shift -0.3 +0.3", "shift +0.3 -0.3", "shift +0.3 +0.3")
    assert VIEWS[4:] == ("scale 0.75", "scale 1.3", "size 0.5", "size 0.75")


def test_a_shift_loses_no_pixel_and_takes_each_to_where_a_hand_puts_it() -> None:
    images = picture()
    for number, (down, across) in enumerate([(-12, -12), (-12, 12), (12, -12), (12, 12)]):
        view = held_out(images)[number]
        for y, x in [(0, 0), (5, 33), (39, 12)]:
            moved = view[:, :, (y + down) % SIDE, (x + across) % SIDE]
            assert torch.equal(moved, images[:, :, y, x])


def test_no_view_is_the_picture_and_no_two_are_the_same() -> None:
    images = picture()
    views = [images, *held_out(images)]
    for one in range(len(views)):
        for other in range(one):
            assert (views[one] - views[other]).abs().mean() > 0.01


def test_an_even_picture_looks_the_same_in_every_view() -> None:
    even = torch.full((1, 3, SIDE, SIDE), 0.25)
    torch.testing.assert_close(held_out(even), even.expand(len(VIEWS), 1, 3, SIDE, SIDE))


def test_a_scaled_view_shows_a_disc_of_the_scaled_area() -> None:
    y, x = torch.meshgrid(torch.arange(80.0), torch.arange(80.0), indexing="ij")
    disc = ((y - 39.5) ** 2 + (x - 39.5) ** 2 < 15**2).float().expand(1, 3, 80, 80)
    small, large = held_out(disc)[4:6]
    assert float(small.sum() / disc.sum()) == pytest.approx(SCALES[0] ** 2, rel=0.03)
    assert float(large.sum() / disc.sum()) == pytest.approx(SCALES[1] ** 2, rel=0.03)


def test_a_smaller_size_takes_the_waves_that_it_cannot_show() -> None:
    board = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)).remainder(2).float()
    half = held_out(board.expand(1, 3, SIDE, SIDE))[6]
    assert SIZES[0] == 0.5
    assert float((half - 0.5).abs().max()) < 0.1


def test_views_draw_no_random_number_and_do_not_depend_on_other_pictures() -> None:
    images, before = picture(), torch.get_rng_state()
    views = held_out(images)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(views[:, 1:], held_out(images[1:]))
