"""Folder names that mean more than the name of a class: numbers, WordNet ids and splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timm.data.imagenet_info import ImageNetInfo

MAX_LABEL = 21_999
"""Largest whole number that is a label; larger ones are dates or ids. The ImageNet with the most
classes has 21,843."""

_WORDNET_ID = re.compile(r"n\d{8}", re.ASCII)
_SPLIT = re.compile(
    r"(train(ing)?|val(id(ation)?)?|test(ing)?|dev|eval(uation)?)"
    r"([-_ ]?(set|split|data|images|\d{4}))?",
    re.ASCII | re.IGNORECASE,
)


def whole_numbers(names: Sequence[str]) -> list[int] | None:
    """Read class names as labels.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    list of int or None
        The numbers; None unless all names are whole numbers, ``0`` to `MAX_LABEL`.
    """
    if not names or not all(name.isascii() and name.isdigit() for name in names):
        return None
    numbers = [int(name) for name in names]
    return numbers if max(numbers) <= MAX_LABEL else None


def is_wordnet_id(name: str) -> bool:
    """Return whether a name is the id of a noun in WordNet 3.0, such as ``n01440764``."""
    return _WORDNET_ID.fullmatch(name) is not None


def wordnet_name(wordnet_id: str) -> str:
    """Return the synonyms of a WordNet id.

    Parameters
    ----------
    wordnet_id : str
        See `is_wordnet_id`.

    Returns
    -------
    str
        As in ImageNet, such as ``tench, Tinca tinca``, from timm; the id itself if timm does not
        know it.
    """
    try:
        return _imagenet().label_name_to_description(wordnet_id)
    except KeyError:
        return wordnet_id


def wordnet_names(ids: Sequence[str]) -> tuple[str, ...]:
    """Name WordNet ids, so that no two have the same name.

    Parameters
    ----------
    ids : sequence of str

    Returns
    -------
    tuple of str
        See `wordnet_name`. Where ids share a name, such as the two cranes of ImageNet, each is
        followed by its id in parentheses.
    """
    names = [wordnet_name(each) for each in ids]
    counts = Counter(names)
    return tuple(
        name if counts[name] == 1 else f"{name} ({each})"
        for name, each in zip(names, ids, strict=True)
    )


@cache
def _imagenet() -> ImageNetInfo:
    from timm.data.imagenet_info import ImageNetInfo  # noqa: PLC0415  rarely needed, and heavy

    return ImageNetInfo()


def is_split(name: str) -> bool:
    """Return whether a name is that of a split, such as ``train``, ``valid`` or ``val2017``."""
    return _SPLIT.fullmatch(name) is not None
