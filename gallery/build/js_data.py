"""Data as classic scripts: the one form that a page opened from ``file://`` may load."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
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
    plain = values.tolist() if isinstance(values, np.ndarray) else values  # three times as fast
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in plain]


class Shards:
    """A list in scripts of 32 entries each, of which a page loads those that it needs.

    Parameters
    ----------
    folder : Path
        The model's. The scripts are ``NAME/0.js``, ``NAME/1.js``, ...
    name : str
        Chosen by the exporter.
    """

    ENTRIES = 32  # as in browser/state/load.js

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._entries: list[Any] = []
        self._count = 0

    def add(self, entry: Any) -> int:
        """Append a JSON value; return its place in the list."""
        self._entries.append(entry)
        self._count += 1
        if len(self._entries) == self.ENTRIES:
            self.flush()
        return self._count - 1

    def flush(self) -> None:
        """Write what is not yet written; call it once at the end."""
        if self._entries:
            name = f"{self._name}/{(self._count - 1) // self.ENTRIES}"
            path = self._folder / f"{name}.js"
            path.parent.mkdir(exist_ok=True)
            path.write_text(script(name, self._entries), encoding="ascii")
            self._entries = []
