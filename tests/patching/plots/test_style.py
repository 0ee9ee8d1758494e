from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure

from patching.plots.style import literal


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("a\udcff", r"a\xff"),
        ("$1 and $x_{", r"\$1 and \$x_{"),
        ("red\x1b[31m\n", r"red\x1b[31m\n"),
        ("na\xefve", "na\xefve"),
    ],
)
def test_any_name_can_be_drawn(name: str, drawn: str) -> None:
    assert literal(name) == drawn
    for form in ("png", "svg"):
        figure = Figure((1, 1))
        figure.suptitle(literal(name))
        figure.savefig(io.BytesIO(), format=form)
