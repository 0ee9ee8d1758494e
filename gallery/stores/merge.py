"""Grouping of stores by model and configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.order import by_site
from featviz.store.reader import Store

PICTURES = ("renders", "sides")
"""Kinds of results whose rows are pictures of units."""

# All kinds that a gallery shows. The value is the kind written by the same job, whose configuration
# applies if the kind has none of its own.
KINDS = {
    "renders": "renders",
    "sides": "sides",
    "filters": "filters",
    "components": "filters",
    "positions": "filters",
    "attention": "attention",
    "grids": "grids",
    "grid_layouts": "grids",
    "tokens": "tokens",
    "gradients": "gradients",
    "cka": "matches",
    "matches": "cka",
    "effects": "traces",
    "trace_sites": "traces",
    "trace_images": "traces",
    "figures": "traces",
    "circuits": "circuits",
    "circuit_edges": "circuits",
    "circuit_curves": "circuits",
    "edge_effects": "circuits",
    "examples": "examples",
    "firing": "firing",
    "sae_quality": "sae_quality",
}


@dataclass
class Group:
    """Stores of one model with results of the same kind and configuration.

    Attributes
    ----------
    kind : str
    configuration : mapping
    stores : list of Store
    """

    kind: str
    configuration: Mapping[str, Any]
    stores: list[Store] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        """The configuration as text; ``views.shift`` is ``shift`` in ``views``."""
        pairs: list[tuple[str, Any]] = []
        for key, value in self.configuration.items():
            if isinstance(value, Mapping):
                pairs += [(f"{key}.{inner}", setting) for inner, setting in value.items()]
            else:
                pairs.append((key, value))
        return {key: v if isinstance(v, str) else json.dumps(v) for key, v in pairs}

    def addresses(self) -> dict[str, None]:
        """Return the unique addresses of the rows, as the keys of a dictionary."""
        return dict.fromkeys(
            address for store in self.stores for address in store.addresses(self.kind)
        )

    def rows(self) -> Iterator[Row]:
        """Read rows one at a time.

        Yields
        ------
        Row
            One per address; if stores share an address, from the first store.
        """
        seen: set[str] = set()
        for store in self.stores:
            for row in store.rows(self.kind):
                if row["address"] not in seen:
                    seen.add(row["address"])
                    yield row


@dataclass
class Model:
    """A model with its results.

    Attributes
    ----------
    name : str
    fingerprint : str
        Digest of the weights.
    load : mapping
        Other arguments that loaded the model; see `featviz.models.loading.options`.
    sites : sequence of str
        Names of the layers, in forward order.
    groups : list of Group
    """

    name: str
    fingerprint: str
    load: Mapping[str, Any]
    sites: Sequence[str]
    groups: list[Group] = field(default_factory=list)

    def add_saes(self, store: Store) -> None:
        """Add the sparse autoencoders of another store of the model, and the sites of latents.

        Parameters
        ----------
        store : Store

        Raises
        ------
        FeatvizError
            If an earlier store has latents of another autoencoder of the same name.
        """
        if conflict := store.manifest.conflict(self.name, self.fingerprint, self.load):
            raise FeatvizError(f"{store.path} {conflict}; make a gallery of each")
        if saes := {**store.load.get("saes", {}), **self.load.get("saes", {})}:
            self.load = {**self.load, "saes": saes}
            self.sites = [*dict.fromkeys([*self.sites, *store.sites])]

    def of(self, *kinds: str) -> list[Group]:
        """Return the groups of some kinds.

        Parameters
        ----------
        *kinds : str
        """
        return [group for group in self.groups if group.kind in kinds]

    def label(self, group: Group) -> str:
        """Return the settings in which a group differs from others of its kind; may be empty.

        Parameters
        ----------
        group : Group
        """
        others = [other.settings for other in self.of(group.kind) if other is not group]
        return ", ".join(
            f"{key} {value}"
            for key, value in group.settings.items()
            if any(other.get(key) != value for other in others)
        )

    def failures(self) -> list[tuple[str, str, str]]:
        """List the failed units, in the order of the layers.

        Units with pictures in another store of the same group are left out. Failures of a store
        with several kinds are listed with the first kind.

        Returns
        -------
        list of (str, str, str)
            Address, reason and label of the group.
        """
        reasons: list[tuple[Group, dict[str, str]]] = []
        seen: set[Path] = set()
        for group in self.groups:
            rendered = self._rendered_with(group)
            new = [store for store in group.stores if store.path not in seen]
            seen.update(store.path for store in new)
            failed = {unit: reason for store in new for unit, reason in store.failures.items()}
            reasons.append(
                (group, {u: reason for u, reason in failed.items() if u not in rendered})
            )
        ordered = by_site({unit: None for _, failed in reasons for unit in failed}, self.sites)
        return [
            (unit, failed[unit], self.label(group))
            for _, found in ordered
            for unit in found
            for group, failed in reasons
            if unit in failed
        ]

    def _rendered_with(self, group: Group) -> set[str]:
        """Collect the units with pictures in all groups that share a store with this one."""
        paths = {store.path for store in group.stores}
        return {
            unit
            for other in self.of(*PICTURES)
            if any(store.path in paths for store in other.stores)
            for unit in other.addresses()
        }


def merge(stores: Sequence[Store]) -> list[Model]:
    """Group stores by model (name and weights), and within a model by kind and configuration.

    Parameters
    ----------
    stores : sequence of Store

    Returns
    -------
    list of Model
        Models and groups are in the order of the stores.

    Raises
    ------
    FeatvizError
        If stores of a model have latents of different sparse autoencoders under one name.
    """
    models: dict[tuple[str, str], Model] = {}
    for store in stores:
        identity = (store.model, store.fingerprint)
        model = models.setdefault(identity, Model(*identity, store.load, store.sites))
        model.add_saes(store)
        for kind, main_kind in KINDS.items():
            if kind not in store.configuration and kind not in store.kinds:
                continue
            configuration = store.configuration.get(kind, store.configuration.get(main_kind, {}))
            same = (g for g in model.of(kind) if g.configuration == configuration)
            group = next(same, None)
            if group is None:
                group = Group(kind, configuration)
                model.groups.append(group)
            group.stores.append(store)
    return list(models.values())
