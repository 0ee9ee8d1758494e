"""Data files as classic scripts, which pages opened from ``file://`` can load."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def script(name: str, value: Any) -> str:
    r"""Return a script that assigns a value to ``featviz[name]``.

    The result is one line of ASCII. Strings in the value cannot end the script: ``<``, ``>`` and
    ``&`` are escaped as ``\u003c`` and so on, as well as U+2028 and U+2029, which end a line in old
    JavaScript but not in JSON.

    Parameters
    ----------
    name : str
        Constant of the exporter, never text of a store.
    value : JSON value
        Without NaN and infinities; see `rounded`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the value contains a number that is not finite.

    Source: HTML standard, "Restrictions for contents of script elements"; ECMA-262, JSON superset.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'(globalThis.featviz??={{}})["{name}"]={text};\n'


def rounded(
    values: Iterable[float] | NDArray[np.floating[Any]], digits: int = 4
) -> list[float | None]:
    """Round values to significant digits.

    Parameters
    ----------
    values : iterable of float
    digits : int

    Returns
    -------
    list of (float or None)
        None for values that are not finite.
    """
    plain = values.tolist() if isinstance(values, np.ndarray) else values  # 3 times faster
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in plain]


class Shards:
    """List that is split into scripts of 32 entries, which a page loads on demand.

    Parameters
    ----------
    folder : Path
        Folder of the model. The scripts are ``NAME/0.js``, ``NAME/1.js``, ...
    name : str
        Constant of the exporter.
    """

    ENTRIES = 32  # as in browser/state/load.js

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._entries: list[Any] = []
        self._count = 0

    def add(self, entry: Any) -> int:
        """Append an entry.

        Parameters
        ----------
        entry : JSON value

        Returns
        -------
        int
            Its index.
        """
        self._entries.append(entry)
        self._count += 1
        if len(self._entries) == self.ENTRIES:
            self.flush()
        return self._count - 1

    def flush(self) -> None:
        """Write the last script; call this once, at the end."""
        if self._entries:
            name = f"{self._name}/{(self._count - 1) // self.ENTRIES}"
            path = self._folder / f"{name}.js"
            path.parent.mkdir(exist_ok=True)
            path.write_text(script(name, self._entries), encoding="ascii")
            self._entries = []
