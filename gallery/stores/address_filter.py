"""Filtering of addresses by selectors.

Selectors are matched with the text of addresses, because a store does not hold the model that could
expand them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from featviz.addressing.ranges import is_index, is_ranges, parse_ranges
from featviz.errors import FeatvizError

_SEPARATOR = re.compile(r"([.:@+~])")

Predicate = Callable[[str], bool]


def address_filter(selectors: Sequence[str]) -> Predicate:
    """Return a predicate that tests whether any of the selectors matches an address.

    Parameters
    ----------
    selectors : sequence of str
        As in `featviz.units`: addresses with a range ``0-15``, a list ``1,4,9`` or ``all`` in place
        of any index. Without selectors, every address matches.

    Returns
    -------
    callable

    Raises
    ------
    FeatvizError
        If a selector has no colon, or a range is invalid.
    """
    predicates = [_predicate(selector) for selector in selectors]
    return lambda address: not predicates or any(matches(address) for matches in predicates)


def _predicate(selector: str) -> Predicate:
    if ":" not in selector:
        raise FeatvizError(
            f"{selector!r} is not a selector of units; expected SITE:UNITS, such as "
            "blocks.0-3.mlp.fc1:0-99"
        )
    predicates = [_part_predicate(part, selector) for part in _split(selector)]

    def matches(address: str) -> bool:
        parts = _split(address)
        return len(parts) == len(predicates) and all(
            predicate(part) for predicate, part in zip(predicates, parts, strict=True)
        )

    return matches


def _split(text: str) -> list[str]:
    """Split an address into parts and separators; the ``q`` of ``@q3`` is a separator."""
    parts = []
    head, sign, tail = text.partition("@")
    for is_token, side in enumerate((head, tail)):
        for part in _SEPARATOR.split(side):
            letter = part[:1] if is_token and part[:1] in {"q", "k"} else ""
            parts += [letter, part.removeprefix(letter)]
    return [*parts, sign]


def _part_predicate(text: str, selector: str) -> Predicate:
    if text == "all":
        return lambda part: part == text or is_index(part)
    if not is_ranges(text):
        return lambda part: part == text
    try:
        ranges = parse_ranges(text)
    except FeatvizError as error:
        raise FeatvizError(f"{selector}: {error}") from None
    return lambda part: is_index(part) and any(int(part) in each for each in ranges)
