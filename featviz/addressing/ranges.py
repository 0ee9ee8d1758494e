"""Index selectors: an index ``3``, a range ``0-15``, a list ``1,4,9`` or ``all``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from featviz.errors import FeatvizError

_INDEX = re.compile("-?[0-9]{1,9}")
_RANGE = re.compile(f"({_INDEX.pattern})(?:-({_INDEX.pattern}))?")
_RANGES = re.compile(f"{_RANGE.pattern}(?:,{_RANGE.pattern})*")


def is_index(text: str) -> bool:
    """Return whether `text` is a single integer."""
    return _INDEX.fullmatch(text) is not None


def is_ranges(text: str) -> bool:
    """Return whether `text` is an index, a range, or a list of these; ``all`` is none."""
    return _RANGES.fullmatch(text) is not None


def parse_ranges(text: str) -> list[range]:
    """Parse an index, a range ``0-15``, or a list of these; ranges include both ends.

    Parameters
    ----------
    text : str
        For which `is_ranges` holds.

    Returns
    -------
    list of range
        One for each item of the list; never empty ones.

    Raises
    ------
    FeatvizError
        If a range runs backwards.
    """
    ranges = []
    for item in text.split(","):
        match = _RANGE.fullmatch(item)
        assert match is not None
        start = int(match[1])
        stop = start if match[2] is None else int(match[2])
        if stop < start:
            raise FeatvizError(f"the range {item} runs backwards; write {stop}-{start}")
        ranges.append(range(start, stop + 1))
    return ranges


def expand(text: str, valid: Sequence[int], what: str) -> list[int]:
    """Expand an index selector to indices, all of which are valid.

    Parameters
    ----------
    text : str
        An index, a range, a list of these, or ``all``.
    valid : range or short sequence of int
        Valid indices, ascending; each index is looked up in it.
    what : str
        How an error begins, such as ``"blocks.3.mlp.fc1 has units"``.

    Returns
    -------
    list of int
        In the order given; an index that is listed twice appears twice.

    Raises
    ------
    FeatvizError
        If the text is malformed, a range runs backwards, or an index is not valid.
    """
    if text == "all":
        return list(valid)
    if not is_ranges(text):
        raise FeatvizError(
            f"{what} {format_indices(valid)}; expected an index, a range 0-15, a list 1,4,9 or "
            f"'all', got {text!r}"
        )
    indices: list[int] = []
    for each in parse_ranges(text):
        # The ends are checked before the range is enumerated, because it may be huge.
        invalid = next((index for index in (each[0], each[-1]) if index not in valid), None)
        if invalid is None:
            invalid = next((index for index in each if index not in valid), None)
        if invalid is not None:
            raise FeatvizError(f"{what} {format_indices(valid)}, not {invalid}")
        indices += each
    return indices


def join(indices: Iterable[int]) -> str:
    """Write distinct `indices` in ascending order as a selector, such as ``0-3,7``."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][-1] == index - 1:
            runs[-1][1:] = [index]
        else:
            runs.append([index])
    return ",".join("-".join(map(str, run)) for run in runs)


def format_indices(valid: Sequence[int]) -> str:
    """Write the indices `valid`, ascending, as a range if they are consecutive, else as a list."""
    if len(valid) == valid[-1] - valid[0] + 1:
        return f"{valid[0]} to {valid[-1]}" if valid[0] < 0 else f"{valid[0]}-{valid[-1]}"
    return ", ".join(map(str, valid))
