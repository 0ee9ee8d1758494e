"""Class names of different sources: equal up to case, underscores, Unicode form and synonyms."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from featviz.data.class_names import is_wordnet_id, wordnet_name


@dataclass(frozen=True)
class _Name:
    """A name, as synonyms with commas between them, such as ``tench, Tinca tinca``."""

    synonyms: tuple[str, ...]

    @property
    def folded(self) -> tuple[str, ...]:
        return tuple(synonym.casefold() for synonym in self.synonyms)

    def likeness(self, other: _Name) -> tuple[bool, bool, bool, bool, int]:
        """Rank names that share a synonym: the greater, the more alike."""
        return (
            self.synonyms == other.synonyms,
            self.synonyms[0] == other.synonyms[0],
            self.folded == other.folded,
            self.folded[0] == other.folded[0],
            len({*self.folded} & {*other.folded}),
        )


def matches(names: Sequence[str], others: Sequence[str]) -> list[list[int]]:
    """Find the names that are most like each of some names.

    Names are alike if they share a synonym. The synonyms of a name are separated by commas, as in
    ImageNet; case, underscores and the Unicode form (macOS decomposes accents in file names) do not
    count; a WordNet id has the synonyms of ImageNet. Of
    several alike names, the one that is equal is preferred, then the one with the same first
    synonym, then the one with the most synonyms in common.

    Parameters
    ----------
    names, others : sequence of str

    Returns
    -------
    list of list of int
        For each name the indices of others: none, one, or several that are equally alike. The name
        at the same position is preferred to other ones that are alike.
    """
    ours, theirs = _parse(names), _parse(others)
    having = defaultdict(list)
    for index, other in enumerate(theirs):
        for synonym in dict.fromkeys(other.folded):
            having[synonym].append(index)
    found = []
    for position, name in enumerate(ours):
        alike = sorted({index for synonym in name.folded for index in having.get(synonym, ())})
        likeness = {index: name.likeness(theirs[index]) for index in alike}
        best = [index for index in alike if likeness[index] == max(likeness.values())]
        found.append([position] if position in best else best)
    return found


def same_order(found: Sequence[Sequence[int]], count: int) -> bool:
    """Return whether names may be in the same order as `count` other names.

    Parameters
    ----------
    found : sequence of sequence of int
        As `matches` returns it.
    count : int
        Number of other names.

    Returns
    -------
    bool
        True if there are as many, and every name matches the one at its position, or none, or one
        that is the match of the name at its own position.
    """
    own = {position for position, best in enumerate(found) if position in best}
    return len(found) == count and all(
        position in own or own.issuperset(best) for position, best in enumerate(found)
    )


def _parse(names: Sequence[str]) -> list[_Name]:
    parsed = []
    for name in names:
        text = f"{wordnet_name(name)}, {name}" if is_wordnet_id(name) else name
        text = unicodedata.normalize("NFC", text)
        parts = (" ".join(part.replace("_", " ").split()) for part in text.split(","))
        parsed.append(_Name(tuple(parts)))
    return parsed
