"""Plan of a model's page: its units, layers and picture rows, before any picture is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from featviz.analysis.examples.firing import KIND as FIRING
from featviz.store.order import by_site
from featviz.store.reader import Store
from gallery.build.sheets import capacity, cell_size
from gallery.stores.address_filter import Predicate
from gallery.stores.merge import PICTURES, Group, Model

NATURAL = "examples"
"""Kind of the rows whose natural images stand in for pictures."""


@dataclass(frozen=True)
class Render:
    """Pictures of a unit in one configuration.

    Attributes
    ----------
    address : str
    group : int
        Index of the configuration in `Plan.groups`.
    kind : str
    store : Store
    key : str
        Cache key; it changes when the row in the store changes.
    row : int
        Index of the picture row, in the order of the page.
    unit : int
        Index of the unit, in the order of the page.
    """

    address: str
    group: int
    kind: str
    store: Store
    key: str
    row: int
    unit: int

    @property
    def natural(self) -> bool:
        """Whether its picture is the natural image with the highest activation."""
        return self.kind == NATURAL

    @property
    def paired(self) -> bool:
        """Whether its pictures are pairs of a query and a key side."""
        return self.kind == "sides"


@dataclass(frozen=True)
class Layer:
    """A site with the renders of its units.

    Attributes
    ----------
    name : str
    units : tuple of tuple of Render
        Renders of each unit, at least one.
    """

    name: str
    units: tuple[tuple[Render, ...], ...]

    @cached_property
    def wide(self) -> bool:
        """Whether its cells hold pairs of pictures."""
        return any(renders[0].paired for renders in self.units)

    def sheets(self) -> Iterator[tuple[tuple[Render, ...], ...]]:
        """Split the units into sheets.

        Yields
        ------
        tuple of tuple of Render
            Renders of each unit on a sheet.
        """
        size = capacity(self.wide)
        for start in range(0, len(self.units), size):
            yield self.units[start : start + size]


@dataclass(frozen=True)
class Plan:
    """Plan of a model's page.

    Attributes
    ----------
    groups : tuple of Group
        Configurations with pictures of units.
    layers : tuple of Layer
        In forward order.
    """

    groups: tuple[Group, ...]
    layers: tuple[Layer, ...]

    @property
    def units(self) -> int:
        """The number of units."""
        return sum(len(layer.units) for layer in self.layers)

    @property
    def cell(self) -> int:
        """Height of a cell in pixels."""
        return cell_size(self.units)

    def renders(self) -> Iterator[Render]:
        """Iterate over all picture rows in order."""
        for layer in self.layers:
            for renders in layer.units:
                yield from renders

    def addresses(self) -> list[str]:
        """Return the address of each unit in order."""
        return [renders[0].address for layer in self.layers for renders in layer.units]


def make_plan(model: Model, is_included: Predicate) -> Plan:
    """Plan the page of a model.

    Parameters
    ----------
    model : Model
    is_included : callable
        Whether to show the unit at an address.

    Returns
    -------
    Plan
    """
    groups = model.of(*PICTURES)
    found: dict[str, list[tuple[int, Store, str]]] = {}
    for index, group in enumerate(groups):
        for address, (store, key) in _rows(group).items():
            if is_included(address):
                found.setdefault(address, []).append((index, store, key))
    if natural := _natural_group(model, groups):
        rows = _rows(natural)
        for address in rows.keys() - found.keys() - _dead_latents(natural):
            if is_included(address):
                found[address] = [(len(groups), *rows[address])]
        if any(index == len(groups) for (index, *_), *_ in found.values()):
            groups.append(natural)
    layers, row, unit = [], 0, 0
    for site, addresses in by_site(found, model.sites):
        units = []
        for address in addresses:
            renders = []
            for index, store, key in found[address]:
                kind = groups[index].kind
                renders.append(Render(address, index, kind, store, key, row, unit))
                row += 1
            units.append(tuple(renders))
            unit += 1
        layers.append(Layer(site, tuple(units)))
    return Plan(tuple(groups), tuple(layers))


def _natural_group(model: Model, pictured: Sequence[Group]) -> Group | None:
    """Return the examples that the page shows; see `gallery.units.natural_images`."""
    groups = model.of(NATURAL)
    stores = [store for group in (*pictured, *groups) for store in group.stores]
    shown = next((s.configuration[NATURAL] for s in stores if NATURAL in s.kinds), None)
    return next((group for group in groups if group.configuration == shown), None)


def _dead_latents(group: Group) -> set[str]:
    """Return the units whose latents never fire on the images of a group."""
    rows = (row for store in group.stores for row in store.rows(FIRING))
    return {row["address"] for row in rows if not row["tokens"]}


def _rows(group: Group) -> dict[str, tuple[Store, str]]:
    """Find the store and the key of each address, in the first store that has it."""
    rows: dict[str, tuple[Store, str]] = {}
    for store in group.stores:
        for address, key in store.keys(group.kind).items():
            digest = hashlib.sha256(f"{group.kind}\0{key}".encode()).hexdigest()[:32]
            rows.setdefault(address, (store, digest))
    return rows
