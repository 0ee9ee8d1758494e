"""Several stores as one gallery: which stores belong to one model, and which were made alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featviz.store.columns import Row
from featviz.store.order import by_site
from featviz.store.reader import Store

PICTURES = ("renders", "sides")
"""The kinds whose rows are units with pictures of their own."""

# Every kind that a gallery shows, and the kind whose job makes it too: it may have that kind's
# configuration and none of its own.
KINDS = {
    "renders": "renders",
    "sides": "sides",
    "filters": "filters",
    "components": "filters",
    "positions": "filters",
    "attention": "attention",
    "grids": "grids",
    "tokens": "tokens",
    "gradients": "gradients",
    "cka": "matches",
    "matches": "cka",
    "figures": "traces",
}


@dataclass
class Group:
    """Stores of one model with one kind of result of one and the same configuration."""

    kind: str
    configuration: Mapping[str, Any]
    stores: list[Store] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        """The configuration for people: one text a setting, ``views.shift`` within ``views``."""
        pairs: list[tuple[str, Any]] = []
        for key, value in self.configuration.items():
            if isinstance(value, Mapping):
                pairs += [(f"{key}.{inner}", setting) for inner, setting in value.items()]
            else:
                pairs.append((key, value))
        return {key: v if isinstance(v, str) else json.dumps(v) for key, v in pairs}

    def addresses(self) -> dict[str, None]:
        """Return the address of each row once, as the keys of a dictionary."""
        return dict.fromkeys(
            address for store in self.stores for address in store.addresses(self.kind)
        )

    def rows(self) -> Iterator[Row]:
        """Read rows one at a time, each address once: the first store has it."""
        seen: set[str] = set()
        for store in self.stores:
            for row in store.rows(self.kind):
                if row["address"] not in seen:
                    seen.add(row["address"])
                    yield row


@dataclass
class Model:
    """All that is known of one model: its name, how it is loaded, and groups of stores."""

    name: str
    fingerprint: str
    load: Mapping[str, Any]
    sites: Sequence[str]
    groups: list[Group] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Group]:
        """Return the groups of these kinds."""
        return [group for group in self.groups if group.kind in kinds]

    def label(self, group: Group) -> str:
        """Tell a group from the others of its kind by the settings that differ; may be empty."""
        others = [other.settings for other in self.of(group.kind) if other is not group]
        return ", ".join(
            f"{key} {value}"
            for key, value in group.settings.items()
            if any(other.get(key) != value for other in others)
        )

    def failures(self) -> list[tuple[str, str, str]]:
        """Address, reason and the group's label, in the order of the units.

        A unit that another store of the same group has pictures of has not failed. What failed in
        a store of several kinds is told with the first of them.
        """
        reasons: list[tuple[Group, dict[str, str]]] = []
        told: set[Path] = set()
        for group in self.groups:
            made = self._made_beside(group)
            fresh = [store for store in group.stores if store.path not in told]
            told.update(store.path for store in fresh)
            failed = {unit: reason for store in fresh for unit, reason in store.failures.items()}
            reasons.append((group, {u: reason for u, reason in failed.items() if u not in made}))
        ordered = by_site({unit: None for _, failed in reasons for unit in failed}, self.sites)
        return [
            (unit, failed[unit], self.label(group))
            for _, found in ordered
            for unit in found
            for group, failed in reasons
            if unit in failed
        ]

    def _made_beside(self, group: Group) -> set[str]:
        """Collect what all groups that share a store with this one have pictures of."""
        paths = {store.path for store in group.stores}
        return {
            unit
            for other in self.of(*PICTURES)
            if any(store.path in paths for store in other.stores)
            for unit in other.addresses()
        }


def merge(stores: Sequence[Store]) -> list[Model]:
    """Sort stores into models, by name and weights, and into groups, by kind and configuration.

    Models and groups keep the order of the stores.
    """
    models: dict[tuple[str, str], Model] = {}
    for store in stores:
        identity = (store.model, store.fingerprint)
        model = models.setdefault(identity, Model(*identity, store.load, store.sites))
        for kind, lead in KINDS.items():
            if kind not in store.configuration and kind not in store.kinds:
                continue
            configuration = store.configuration.get(kind, store.configuration.get(lead, {}))
            same = (g for g in model.of(kind) if g.configuration == configuration)
            group = next(same, None)
            if group is None:
                group = Group(kind, configuration)
                model.groups.append(group)
            group.stores.append(store)
    return list(models.values())
