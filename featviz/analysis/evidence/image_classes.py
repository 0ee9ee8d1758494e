"""Classes of the natural images of units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from featviz.store.reader import Store

MISSING = -1
"""Index of an image, class or token that does not exist."""


class ImageClasses:
    """Classes of the natural images in a store.

    Parameters
    ----------
    store : Store
        With kind ``examples``. Without kind ``example_images``, no class is known.
    """

    def __init__(self, store: Store) -> None:
        self._names = [str(name) for name in store.configuration["examples"]["classes"]]
        self._labels: dict[str, int] = {}
        if "example_images" in store.kinds:
            rows = store.rows("example_images")
            self._labels = {row["address"]: int(row["label"]) for row in rows}

    def of(self, image: int) -> str | None:
        """Return the class of an image, by its index in the dataset; None if it is not known."""
        label = self._labels.get(str(image), MISSING)
        return self._names[label] if 0 <= label < len(self._names) else None

    def of_top(self, examples: Mapping[str, Any]) -> list[str | None]:
        """Return the class of each natural image with the highest activation, the highest first.

        Parameters
        ----------
        examples : mapping
            As in `featviz.analysis.evidence.unit_evidence.UnitEvidence.examples`.
        """
        return [self.of(index) for index in examples["top"].tolist() if index != MISSING]


def most_common_class(classes: Sequence[str | None]) -> tuple[str, int] | None:
    """Return the most common class and its number of images; None if no class is known.

    Parameters
    ----------
    classes : sequence of (str or None)
        Of several that are equally common, the first in this order is returned.
    """
    counts = Counter(name for name in classes if name is not None)
    return counts.most_common(1)[0] if counts else None
