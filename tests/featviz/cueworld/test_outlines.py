"""Outlines against membership worked out from corners and circles."""

from __future__ import annotations

import math

import pytest
import torch

from featviz.cueworld.outlines import blob, coverage, local, outlines
from featviz.cueworld.world import SHAPES
from tests.oracles.geometry import INSIDE

# No line of this grid runs along a side of a figure.
AXIS = torch.linspace(-1.0, 1.0, 160, dtype=torch.float64) * 1.0313


@pytest.mark.parametrize("name", SHAPES)
def test_an_outline_is_negative_exactly_inside_its_figure(name: str) -> None:
    v, u = torch.meshgrid(AXIS, AXIS, indexing="ij")
    distance = dict(zip(SHAPES, outlines(u, v), strict=True))[name]
    inside = torch.tensor([[INSIDE[name]((float(x), float(y))) for x in AXIS] for y in AXIS])
    assert 0.05 < inside.double().mean() < 0.6
    assert torch.equal(distance < 0, inside)


def test_a_blob_without_wobble_is_the_distance_to_a_circle_of_radius_08() -> None:
    u, v = torch.tensor([[[0.0, 3.0, -0.8, 0.3]]]), torch.tensor([[[0.0, 4.0, 0.0, -0.4]]])
    distance = blob(u, v, torch.zeros(1, 3, 2))
    torch.testing.assert_close(distance, torch.tensor([[[-0.8, 4.2, 0.0, -0.3]]]))


def test_each_wave_of_a_blob_moves_its_edge_by_its_amplitude() -> None:
    on_the_right = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
    wobble = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [0.25, 0.25]]])
    # Waves at angle 0: cos 0 * 0.12, cos pi * 0.06, cos(pi / 2) * 0.03.
    edge = 0.8 + 0.12 - 0.06
    torch.testing.assert_close(blob(*on_the_right, wobble), torch.full((1, 1, 1), 1 - edge))


def test_local_coordinates_are_one_radius_away_along_the_turned_axes() -> None:
    center, radius, angle = torch.tensor([[0.2, -0.1]]), torch.tensor([0.5]), math.radians(30)
    x = torch.tensor([[0.2, 0.2 + 0.5 * math.cos(angle), 0.2 - 0.5 * math.sin(angle)]])
    y = torch.tensor([[-0.1, -0.1 + 0.5 * math.sin(angle), -0.1 + 0.5 * math.cos(angle)]])
    u, v = local(x, y, center, radius, torch.tensor([angle]))
    torch.testing.assert_close(u, torch.tensor([[[0.0, 1.0, 0.0]]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(v, torch.tensor([[[0.0, 0.0, 1.0]]]), atol=1e-6, rtol=0)


def test_coverage_is_half_on_the_outline_and_certain_two_pixels_off() -> None:
    size, radius = 64, torch.tensor([0.5])
    pixel = 2 / size / 0.5  # in units of the radius
    distance = torch.tensor([0.0, -2 * pixel, 2 * pixel]).expand(1, size, 3).mT.expand(1, 3, size)
    on, inside, outside = coverage(distance, radius)[0, :, 0].tolist()
    assert on == 0.5
    assert inside > 0.95
    assert outside < 0.05
