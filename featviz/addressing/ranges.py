"""The numeric places of a selector: ``3``, ``0-15``, ``1,4,9`` or ``all``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from featviz.errors import FeatvizError

_NUMBER = "-?[0-9]{1,9}"
_RANGE = re.compile(f"({_NUMBER})(?:-({_NUMBER}))?")
NUMBERS = re.compile(f"{_RANGE.pattern}(?:,{_RANGE.pattern})*")


def expand(text: str, valid: Sequence[int], what: str) -> list[int]:
    """Expand text to numbers that are all valid.

    Parameters
    ----------
    valid : range or a short sequence
        In it every number is looked up.
    what : str
        How an error begins, such as ``"blocks.3.mlp.fc1 has units"``.

    Raises
    ------
    FeatvizError
        If the text has another form, a range runs backwards, or a number is not valid.
    """
    if text == "all":
        return list(valid)
    if not NUMBERS.fullmatch(text):
        form = "none of these, no range 0-15, list 1,4,9 or all"
        raise FeatvizError(f"{what} {span(valid)}, and {text!r} is {form}")
    numbers: list[int] = []
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece)
        assert match is not None
        start = int(match[1])
        stop = start if match[2] is None else int(match[2])
        if stop < start:
            raise FeatvizError(f"the range {piece} runs backwards; write {stop}-{start}")
        # The ends are looked at before the range is counted out: it may be huge.
        wrong = next((n for n in (start, stop) if n not in valid), None)
        if wrong is None:
            wrong = next((n for n in range(start, stop) if n not in valid), None)
        if wrong is not None:
            raise FeatvizError(f"{what} {span(valid)}, not {wrong}")
        numbers += range(start, stop + 1)
    return numbers


def span(valid: Sequence[int]) -> str:
    """Write valid numbers as a range if they are one, else as a list."""
    if len(valid) == valid[-1] - valid[0] + 1:
        return f"{valid[0]} to {valid[-1]}" if valid[0] < 0 else f"{valid[0]}-{valid[-1]}"
    return ", ".join(map(str, valid))
