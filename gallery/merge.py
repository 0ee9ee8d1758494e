"""Several stores as one gallery: which stores belong to one model, and which were made alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from featviz.store import Row, Store


@dataclass
class Group:
    """Stores of one model with one and the same configuration, such as the parts of one job."""

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

    def rows(self) -> Iterator[Row]:
        """Read rendered units one at a time, each address once: the first store has it."""
        seen: set[str] = set()
        for store in self.stores:
            for row in store.rows():
                if row["address"] not in seen:
                    seen.add(row["address"])
                    yield row

    def failures(self) -> dict[str, str]:
        """Reason by address, without the units that another store of the group has rendered."""
        reasons = {
            address: reason for store in self.stores for address, reason in store.failures.items()
        }
        return {
            address: reason
            for address, reason in reasons.items()
            if not any(address in store for store in self.stores)
        }


@dataclass
class Model:
    """All that is known of one model: its name, how it is loaded, and groups of stores."""

    name: str
    fingerprint: str
    load: Mapping[str, Any]
    sites: Sequence[str]
    groups: list[Group] = field(default_factory=list)

    def label(self, group: Group) -> str:
        """Tell a group from the others: the settings that differ; empty if it is the only one."""
        others = [other.settings for other in self.groups if other is not group]
        return ", ".join(
            f"{key} {value}"
            for key, value in group.settings.items()
            if any(other.get(key) != value for other in others)
        )


def merge(stores: Sequence[Store]) -> list[Model]:
    """Sort stores into models, by name and weights, and into groups, by configuration.

    Models and groups keep the order of the stores.
    """
    models: dict[tuple[str, str], Model] = {}
    for store in stores:
        identity = (store.model, store.fingerprint)
        model = models.setdefault(identity, Model(*identity, store.load, store.sites))
        configuration = store.configuration.get("renders", {})
        group = next((g for g in model.groups if g.configuration == configuration), None)
        if group is None:
            group = Group(configuration)
            model.groups.append(group)
        group.stores.append(store)
    return list(models.values())
