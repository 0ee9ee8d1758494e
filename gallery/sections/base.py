"""What the sections of a model's page have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from featviz.store.columns import Row
from featviz.store.order import by_site
from gallery.build.images import Figures
from gallery.build.js_data import numbers
from gallery.sections.colors import heat, scale
from gallery.stores.merge import Group, Model

Entry = list[Any]
"""What a page has to know of a row, as JSON; its address comes first."""

Pointer = tuple[str, Container[str]]
"""The page of a model, and the units that it shows."""


@dataclass
class Place:
    """Where the sections of one model write.

    Attributes
    ----------
    model : Model
    folder : Path
        The model's.
    figures : Figures
    others : dict
        Of every model in the gallery, by its fingerprint.
    """

    model: Model
    folder: Path
    figures: Figures
    others: dict[str, Pointer] = field(default_factory=dict)


class Section(ABC):
    """One view of a model's page, filled one row at a time.

    Attributes
    ----------
    name : str
        Of the view's link and script.
    kinds : tuple of str
        The kinds of result that it shows; it is counted in rows of the first one that is there.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]

    def __init__(self, place: Place) -> None:
        self.place = place
        self.model = place.model
        self.entries: defaultdict[int, list[Entry]] = defaultdict(list)

    @abstractmethod
    def entry(self, group: Group, row: Row) -> Entry:
        """Write the pictures of one row, and return what the page has to know of it."""

    def content(self, _group: Group, entries: list[Entry]) -> dict[str, Any]:
        """Arrange the entries of one group for the page: by layer, if a section says no more."""
        return {"sites": in_sites(entries, self.model.sites)}

    def add(self, group: Group, row: Row) -> None:
        """Take in a row of one of the kinds."""
        self.entries[self.model.groups.index(group)].append(self.entry(group, row))

    def finish(self) -> dict[str, Any]:
        """Return the section's data: under each kind, a block for each configuration."""
        blocks = {
            kind: [
                {
                    "label": self.model.label(group),
                    "settings": list(group.settings.items()),
                    **self.content(group, entries),
                }
                for group in self.model.of(kind)
                if (entries := self.entries[self.model.groups.index(group)])
            ]
            for kind in self.kinds
        }
        return {**blocks, "scale": self.place.figures.save(scale()[None], "the scale of colors")}

    def count(self) -> int:
        """Count the rows that tell how much there is to see."""
        counts = (
            sum(len(self.entries[self.model.groups.index(group)]) for group in self.model.of(kind))
            for kind in self.kinds
        )
        return next((count for count in counts if count), 0)

    def sample(self) -> list[str]:
        """Return pictures that may stand for the section: paths in the model's folder."""
        return []

    def heat_map(self, values: Any, low: float, high: float, address: str) -> list[Any]:
        """Write values (H, W) as a picture; return it, and the values at the ends of its scale."""
        return [self.place.figures.save(heat(values, low, high), address), *numbers([low, high])]


def in_sites(entries: Iterable[Entry], sites: Sequence[str]) -> list[tuple[str, list[Entry]]]:
    """Sort entries into sites, both in the order of the page."""
    found = {entry[0]: entry for entry in entries}
    return [(site, [found[unit] for unit in units]) for site, units in by_site(found, sites)]


def path_of(figure: Sequence[int]) -> str:
    """Return the path of a figure in the model's folder, without its suffix."""
    return f"figures/{figure[0]}"
