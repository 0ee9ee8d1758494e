"""Whether a point lies inside a figure, from its corners and circles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Point = tuple[float, float]


def in_polygon(corners: Sequence[Point], point: Point) -> bool:
    """Whether a ray to the right crosses an odd number of sides."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def polar(radius: float, degrees: float) -> Point:
    return radius * math.cos(math.radians(degrees)), radius * math.sin(math.radians(degrees))


TRIANGLE = [polar(1, 60), polar(1, 180), polar(1, 300)]
SQUARE = [(0.72, 0.72), (-0.72, 0.72), (-0.72, -0.72), (0.72, -0.72)]
# The side from the tip at 0 degrees lies on x + 1.75 y = 0.95 and meets the ray at 36 degrees.
_NOTCH = 0.95 / (math.cos(math.pi / 5) + 1.75 * math.sin(math.pi / 5))
STAR = [polar(0.95 if k % 2 == 0 else _NOTCH, 36 * k) for k in range(10)]
_LONG, _SHORT = 0.95, 0.27
CROSS = [
    (_LONG, _SHORT),
    (_SHORT, _SHORT),
    (_SHORT, _LONG),
    (-_SHORT, _LONG),
    (-_SHORT, _SHORT),
    (-_LONG, _SHORT),
    (-_LONG, -_SHORT),
    (-_SHORT, -_SHORT),
    (-_SHORT, -_LONG),
    (_SHORT, -_LONG),
    (_SHORT, -_SHORT),
    (_LONG, -_SHORT),
]

INSIDE: dict[str, Callable[[Point], bool]] = {
    "triangle": lambda point: in_polygon(TRIANGLE, point),
    "square": lambda point: in_polygon(SQUARE, point),
    "star": lambda point: in_polygon(STAR, point),
    "ring": lambda point: 0.5 < math.hypot(*point) < 0.9,
    "cross": lambda point: in_polygon(CROSS, point),
    "crescent": lambda point: math.hypot(*point) < 0.9 and math.dist(point, (0.42, 0)) > 0.68,
}
"""Whether a point is inside each outline of cueworld, in the object's own coordinates."""
