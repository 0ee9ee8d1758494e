"""What the units of a model's page will be, before any picture is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from featviz.store.order import by_site
from featviz.store.reader import Store
from gallery.build.sheets import capacity, cell_size
from gallery.stores.address_filter import Test
from gallery.stores.merge import PICTURES, Group, Model


@dataclass(frozen=True)
class Render:
    """Pictures of a unit in one configuration.

    Attributes
    ----------
    address : str
    group : int
        Place of the configuration among those of the model that have units.
    kind : str
    store : Store
        Where they are.
    key : str
        Another one when the row in the store is.
    row : int
        Number of the picture row: they are counted in the order of the page, so that a page of
        the same stores has the same rows.
    unit : int
        Number of the unit, likewise.
    """

    address: str
    group: int
    kind: str
    store: Store
    key: str
    row: int
    unit: int

    @property
    def paired(self) -> bool:
        """Whether it has two sides."""
        return self.kind == "sides"


@dataclass(frozen=True)
class Layer:
    """A site, and the renders of each of its units."""

    name: str
    units: tuple[tuple[Render, ...], ...]

    @property
    def wide(self) -> bool:
        """Whether its cells hold two pictures side by side."""
        return any(renders[0].paired for renders in self.units)

    def sheets(self) -> Iterator[tuple[tuple[Render, ...], ...]]:
        """Cut the units into sheets."""
        size = capacity(self.wide)
        for start in range(0, len(self.units), size):
            yield self.units[start : start + size]


@dataclass(frozen=True)
class Plan:
    """The layers of a model in forward order.

    Attributes
    ----------
    groups : tuple of Group
        The configurations that have units.
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
        """Give every picture row in order."""
        for layer in self.layers:
            for renders in layer.units:
                yield from renders

    def addresses(self) -> list[str]:
        """Return the address of each unit in order."""
        return [renders[0].address for layer in self.layers for renders in layer.units]


def plan(model: Model, wanted: Test) -> Plan:
    """Plan the page of a model.

    Parameters
    ----------
    wanted : callable
        Tells whether a unit at an address is taken in.
    """
    groups = model.of(*PICTURES)
    found: dict[str, list[tuple[int, Store, str]]] = {}
    for number, group in enumerate(groups):
        for address, (store, key) in _rows(group).items():
            if wanted(address):
                found.setdefault(address, []).append((number, store, key))
    layers, row, unit = [], 0, 0
    for site, addresses in by_site(found, model.sites):
        units = []
        for address in addresses:
            renders = []
            for number, store, key in found[address]:
                kind = groups[number].kind
                renders.append(Render(address, number, kind, store, key, row, unit))
                row += 1
            units.append(tuple(renders))
            unit += 1
        layers.append(Layer(site, tuple(units)))
    return Plan(tuple(groups), tuple(layers))


def _rows(group: Group) -> dict[str, tuple[Store, str]]:
    """Find each address once: the first store has it."""
    rows: dict[str, tuple[Store, str]] = {}
    for store in group.stores:
        for address, key in store.keys(group.kind).items():
            digest = hashlib.sha256(f"{group.kind}\0{key}".encode()).hexdigest()[:32]
            rows.setdefault(address, (store, digest))
    return rows
