"""Filter of the units in a gallery: selectors, matched with addresses as text.

A store records the addresses of its units, but not the model that could expand a selector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from featviz.addressing.ranges import is_index, is_ranges, parse_ranges
from featviz.errors import FeatvizError

_SEPARATOR = re.compile(r"([.:@+~])")

Test = Callable[[str], bool]


def included(selectors: Sequence[str]) -> Test:
    """Return a function from an address to whether any of the selectors matches it.

    Parameters
    ----------
    selectors : sequence of str
        As in `featviz.units`: an address with a range ``0-15``, a list ``1,4,9`` or ``all`` in any
        place of a number. No selectors match every address.

    Returns
    -------
    callable

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
            f"{selector!r} is not a selector of units; one looks like blocks.0-3.mlp.fc1:0-99"
        )
    tests = [_part_test(part, selector) for part in _split(selector)]

    def test(address: str) -> bool:
        parts = _split(address)
        return len(parts) == len(tests) and all(
            test(part) for test, part in zip(tests, parts, strict=True)
        )

    return test


def _split(text: str) -> list[str]:
    """Split a text into parts and separators; the ``q`` of ``@q3`` is a separator."""
    parts = []
    head, sign, tail = text.partition("@")
    for is_token, side in enumerate((head, tail)):
        for part in _SEPARATOR.split(side):
            letter = part[:1] if is_token and part[:1] in {"q", "k"} else ""
            parts += [letter, part.removeprefix(letter)]
    return [*parts, sign]


def _part_test(text: str, selector: str) -> Test:
    if text == "all":
        return lambda part: part == text or is_index(part)
    if not is_ranges(text):
        return lambda part: part == text
    try:
        ranges = parse_ranges(text)
    except FeatvizError as error:
        raise FeatvizError(f"{selector}: {error}") from None
    return lambda part: is_index(part) and any(int(part) in each for each in ranges)
