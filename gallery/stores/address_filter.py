"""Which units of a store a gallery takes in: selectors, matched with addresses as text.

A store knows the addresses of its units, but not the model that would expand a selector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from featviz.addressing.ranges import NUMBERS
from featviz.errors import FeatvizError

_BETWEEN = re.compile(r"([.:@+~])")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_RANGE = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9}))?")

Test = Callable[[str], bool]


def included(selectors: Sequence[str]) -> Test:
    """Return what tells whether any of the selectors stands for an address.

    Parameters
    ----------
    selectors : sequence of str
        As `featviz.units` takes them: an address with a range ``0-15``, a list ``1,4,9`` or
        ``all`` in any numeric place. None at all stand for every address.

    Raises
    ------
    FeatvizError
        If a selector names no site and unit, or a range in it runs backwards.
    """
    tests = [_test(selector) for selector in selectors]
    return lambda address: not tests or any(test(address) for test in tests)


def _test(selector: str) -> Test:
    if ":" not in selector:
        raise FeatvizError(
            f"{selector!r} is no selector of units; one looks like blocks.0-3.mlp.fc1:0-99"
        )
    pieces = [_piece(piece, selector) for piece in _cut(selector)]

    def test(address: str) -> bool:
        parts = _cut(address)
        return len(parts) == len(pieces) and all(
            piece(part) for piece, part in zip(pieces, parts, strict=True)
        )

    return test


def _cut(text: str) -> list[str]:
    """Cut a text into pieces and what is between them; the ``q`` of ``@q3`` is between."""
    parts = []
    head, sign, tail = text.partition("@")
    for number, side in enumerate((head, tail)):
        for part in _BETWEEN.split(side):
            letter = part[:1] if number and part[:1] in {"q", "k"} else ""
            parts += [letter, part.removeprefix(letter)]
    return [*parts, sign]


def _piece(text: str, selector: str) -> Test:
    if text == "all":
        return lambda part: part == text or _NUMBER.fullmatch(part) is not None
    if not NUMBERS.fullmatch(text):
        return lambda part: part == text
    ranges = [_range(piece, selector) for piece in text.split(",")]
    return lambda part: (
        _NUMBER.fullmatch(part) is not None and any(int(part) in numbers for numbers in ranges)
    )


def _range(text: str, selector: str) -> range:
    match = _RANGE.fullmatch(text)
    assert match is not None
    start = int(match[1])
    stop = start if match[2] is None else int(match[2])
    if stop < start:
        raise FeatvizError(f"{selector}: the range {text} runs backwards; write {stop}-{start}")
    return range(start, stop + 1)
