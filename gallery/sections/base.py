"""Base class of the sections of a model's page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from featviz.store.columns import Row
from featviz.store.order import by_site
from gallery.build.colors import colormap, heat_map
from gallery.build.images import Figures
from gallery.build.js_data import rounded
from gallery.stores.merge import Group, Model

Entry = list[Any]
"""Data of a row for the page, as JSON; its address comes first."""

ModelLink = tuple[str, Container[str]]
"""File name of a model's page, and the units that it shows."""


@dataclass
class SectionContext:
    """What the sections of a model share.

    Attributes
    ----------
    model : Model
    folder : Path
        Folder of the model.
    figures : Figures
        Images of all sections.
    others : dict
        Links to all models in the gallery, by fingerprint.
    """

    model: Model
    folder: Path
    figures: Figures
    others: dict[str, ModelLink] = field(default_factory=dict)


class Section(ABC):
    """A section of a model's page, filled one row at a time.

    Parameters
    ----------
    context : SectionContext

    Attributes
    ----------
    name : str
        Name of the section in links and data files.
    kinds : tuple of str
        Kinds of results that it shows. The items of the first kind with rows are counted.
    entries : dict of int to list of Entry
        Entries so far, by index of the group in `Model.groups`.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]

    def __init__(self, context: SectionContext) -> None:
        self.context = context
        self.model = context.model
        self.entries: defaultdict[int, list[Entry]] = defaultdict(list)

    @abstractmethod
    def entry(self, group: Group, row: Row) -> Entry:
        """Write the images of a row.

        Parameters
        ----------
        group : Group
        row : Row

        Returns
        -------
        Entry
        """

    def content(self, _group: Group, entries: list[Entry]) -> dict[str, Any]:
        """Arrange the entries of a group; by default, by layer.

        Parameters
        ----------
        _group : Group
        entries : list of Entry

        Returns
        -------
        dict
            JSON value, merged into the block of the configuration.
        """
        return {"sites": group_by_site(entries, self.model.sites)}

    def add(self, group: Group, row: Row) -> None:
        """Add a row.

        Parameters
        ----------
        group : Group
            Of one of `kinds`.
        row : Row
        """
        self.entries[self.model.groups.index(group)].append(self.entry(group, row))

    def blocks(self, groups: Iterable[Group]) -> list[dict[str, Any]]:
        """Return a block for each configuration that has entries.

        Parameters
        ----------
        groups : iterable of Group
        """
        return [
            {
                "label": self.model.label(group),
                "settings": list(group.settings.items()),
                **self.content(group, entries),
            }
            for group in groups
            if (entries := self.entries[self.model.groups.index(group)])
        ]

    def finish(self) -> dict[str, Any]:
        """Return the data of the section: for each kind, a block per configuration."""
        blocks = {kind: self.blocks(self.model.of(kind)) for kind in self.kinds}
        return {**blocks, "scale": self.context.figures.save(colormap()[None], "the color scale")}

    def count(self) -> int:
        """Return the number of items that the page gives for the section."""
        counts = (
            sum(len(self.entries[self.model.groups.index(group)]) for group in self.model.of(kind))
            for kind in self.kinds
        )
        return next((count for count in counts if count), 0)

    def thumbnails(self) -> list[str]:
        """Return images for the index page: paths in the model's folder, without suffix."""
        return []

    def save_heat_map(self, values: Any, low: float, high: float, address: str) -> list[Any]:
        """Write values as a heat map.

        Parameters
        ----------
        values : array, shape (H, W)
        low, high : float
            Ends of the color scale.
        address : str
            Of the row, for messages.

        Returns
        -------
        list
            Figure (see `Figures.save`), low and high.
        """
        pixels = heat_map(values, low, high)
        return [self.context.figures.save(pixels, address), *rounded([low, high])]


def group_by_site(entries: Iterable[Entry], sites: Sequence[str]) -> list[tuple[str, list[Entry]]]:
    """Group entries by site.

    Parameters
    ----------
    entries : iterable of Entry
    sites : sequence of str
        All sites, in forward order.

    Returns
    -------
    list of (str, list of Entry)
        Sites and entries in display order.
    """
    found = {entry[0]: entry for entry in entries}
    return [(site, [found[unit] for unit in units]) for site, units in by_site(found, sites)]


def figure_path(figure: Sequence[int]) -> str:
    """Return the path of a figure in the model's folder, without suffix.

    Parameters
    ----------
    figure : sequence of int
        See `Figures.save`.
    """
    return f"figures/{figure[0]}"
