"""Surfaces at points worked out by hand."""

from __future__ import annotations

import pytest
import torch

from featviz.cueworld.surfaces import surfaces
from featviz.cueworld.world import TEXTURES

# For every texture: points (s, t, rho) in the middle of the dark paint, and of the light.
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
def test_a_surface_is_dark_and_light_where_it_should_be(name: str) -> None:
    which = TEXTURES.index(name)
    dark, light = (surfaces(*torch.tensor(points).T)[which] for points in POINTS[name])
    assert dark.min() > 0.95
    assert light.max() < 0.05


@pytest.mark.parametrize("name", [name for name in TEXTURES if name != "rings"])
def test_a_surface_repeats_after_one_period_across_and_two_down(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    s, t = torch.rand(2, 500, generator=generator, dtype=torch.float64)
    which = TEXTURES.index(name)
    period = 2 if name == "checker" else 1
    here = surfaces(s, t, s)[which]
    torch.testing.assert_close(here, surfaces(s + period, t, s)[which], atol=1e-9, rtol=0)
    torch.testing.assert_close(here, surfaces(s, t + 2, s)[which], atol=1e-9, rtol=0)
