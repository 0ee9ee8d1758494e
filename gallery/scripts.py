"""Data as classic scripts: the one form that a page opened from ``file://`` may load."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def script(name: str, value: Any) -> str:
    r"""Write a script that assigns a value to ``featviz[name]``.

    Whatever texts the value holds, the result is ASCII, one line, and the only way to read it is
    as data: ``<``, ``>`` and ``&`` are written as ``\u003c`` and so on (also in the middle of
    an HTML page nothing in it could end a script), and so are U+2028 and U+2029, which end a line
    in old JavaScript but not in JSON.

    Parameters
    ----------
    name : str
        Chosen by the exporter.
    value : JSON value
        Without NaN and infinities, see `numbers`.

    Raises
    ------
    ValueError
        If the value holds a number that is not finite.

    Source: HTML standard, "Restrictions for contents of script elements"; ECMA-262, JSON superset.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'(globalThis.featviz??={{}})["{name}"]={text};\n'


def numbers(
    values: Iterable[float] | NDArray[np.floating[Any]], digits: int = 4
) -> list[float | None]:
    """Round values to significant digits for a data file; None stands for what is not finite."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values]
