"""Section of activation patching: averages of effects, and single images with their effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from featviz.store.columns import Row
from gallery.build.js_data import Shards, rounded
from gallery.sections.base import Entry, Section, SectionContext, figure_path
from gallery.stores.merge import Group

EXPERIMENT = (
    "site",
    "by",
    "heads",
    "tokens",
    "mode",
    "corrupt",
    "ablate",
    "donor",
    "frozen",
    "estimate",
    "data",
    "metrics",
)
"""Settings that the caption puts into words."""

_SITE_COLUMNS = ("layer", "head", "token", "window")
_AVERAGE_COLUMNS = ("address", "kind", "group", "metric", "grid", "prefix")
_MOST_PATCHES = 1 << 20


@dataclass
class _Sweep:
    """Rows of one configuration: averages without their numbers, sites, images and checks."""

    averages: list[tuple[Row, int]] = field(default_factory=list)  # with the index of the numbers
    count: int = 0  # number of sites with averages
    sites: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    diagnostics: list[str] = field(default_factory=list)


class Traces(Section):
    """Averages of effects at each site, which are loaded on demand, and single images.

    A store of an older version has figures instead, which are shown as they are.
    """

    name = "traces"
    kinds = ("effects", "trace_sites", "trace_images", "fidelity", "diagnostics", "figures")

    def __init__(self, context: SectionContext) -> None:
        super().__init__(context)
        self._sweeps: list[tuple[Group, _Sweep]] = []
        self._details = Shards(context.folder, "effects")

    def add(self, group: Group, row: Row) -> None:
        """Keep a row of a sweep, or write a figure.

        See `Section.add`.
        """
        if group.kind == "figures":
            super().add(group, row)
            return
        sweep = self._sweep(group)
        if group.kind == "effects":
            sweep.count = len(row["effect"])
            index = self._details.add(_numbers(row))
            sweep.averages.append(({key: row[key] for key in _AVERAGE_COLUMNS}, index))
        elif group.kind == "diagnostics":
            sweep.diagnostics += row["messages"].splitlines()
        else:
            rows = {
                "trace_sites": sweep.sites,
                "trace_images": sweep.images,
                "fidelity": sweep.checks,
            }
            rows[group.kind].append(row)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write a figure of an older version.

        See `Section.entry`.
        """
        return [row["address"], self.context.figures.save(row["image"], row["address"])]

    def finish(self) -> dict[str, Any]:
        """Write the averages, and return the data of the section.

        See `Section.finish`.
        """
        sweeps = [self._block(group, sweep) for group, sweep in self._shown()]
        self._details.flush()
        heads = [address for group in self.model.of("attention") for address in group.addresses()]
        return {
            "sweeps": sweeps,
            "figures": self.blocks(self._figures()),
            "attention": heads,
        }

    def count(self) -> int:
        """Return the number of sweeps and figures."""
        figures = (len(self.entries[self.model.groups.index(group)]) for group in self._figures())
        return len(self._shown()) + sum(figures)

    def thumbnails(self) -> list[str]:
        """Return the figures."""
        groups = map(self.model.groups.index, self._figures())
        return [figure_path(entry[1]) for index in groups for entry in self.entries[index]]

    def _sweep(self, group: Group) -> _Sweep:
        """Return the sweep of a configuration, which several kinds share."""
        for other, sweep in self._sweeps:
            if other.configuration == group.configuration:
                return sweep
        self._sweeps.append((group, _Sweep()))
        return self._sweeps[-1][1]

    def _shown(self) -> list[tuple[Group, _Sweep]]:
        """List the sweeps with averages of each of their sites."""
        return [
            (group, sweep)
            for group, sweep in self._sweeps
            if sweep.averages and sweep.count == len(sweep.sites)
        ]

    def _figures(self) -> list[Group]:
        """List the groups of figures of sweeps that have no averages."""
        drawn = [group.configuration for group, _ in self._shown()]
        return [group for group in self.model.of("figures") if group.configuration not in drawn]

    def _block(self, group: Group, sweep: _Sweep) -> dict[str, Any]:
        sites = sorted(sweep.sites, key=lambda row: int(row["place"]))
        rows = [row for row, _ in sweep.averages]
        height, width = rows[0]["grid"].tolist()
        has_grid = height > 0 and width > 0 and height * width <= _MOST_PATCHES
        settings = group.configuration
        return {
            "settings": list(group.settings.items()),
            "experiment": {key: settings.get(key) for key in EXPERIMENT},
            "sites": {name: [_plain(row[name]) for row in sites] for name in _SITE_COLUMNS},
            "grid": [height, width] if has_grid else None,
            "prefix": int(rows[0]["prefix"]),
            "averages": [
                [row["kind"], name, row["metric"], row["address"].endswith("@all-images"), index]
                for (row, index), name in zip(sweep.averages, _group_names(rows), strict=True)
            ],
            "images": [self._image(row, settings.get("classes")) for row in sweep.images],
            "checks": [_check(row) for row in sweep.checks if _has_sites(row, len(sites))],
            "diagnostics": sweep.diagnostics,
        }

    def _image(self, row: Row, classes: object) -> dict[str, Any]:
        address, label = row["address"], int(row["label"])
        names = classes if isinstance(classes, list) else []
        return {
            "image": address.partition(":")[2],
            "label": _label(label, names),
            "pictures": [self.context.figures.save(pixels, address) for pixels in row["images"]],
            "means": [rounded(row["clean"]), rounded(row["corrupted"])],
            "effect": [rounded(line) for line in row["effect"]],
        }


def _label(label: int, names: Sequence[object]) -> str:
    if label < 0:
        return "no label"
    return str(names[label]) if label < len(names) else f"class {label}"


def _numbers(row: Row) -> dict[str, Any]:
    return {
        "images": int(row["images"]),
        "means": rounded([row["clean"], row["corrupted"]]),
        "total": rounded(row["total"]),
        "effect": _columns(row["effect"]),
        "share": _columns(row["share"]),
    }


def _has_sites(row: Row, count: int) -> bool:
    """Whether the sites of a check are some of `count` sites: a store may be damaged."""
    place = row["place"]
    return len(place) > 0 and bool((place >= 0).all() and (place < count).all())


def _check(row: Row) -> dict[str, Any]:
    return {
        "all": row["address"].endswith("@all-images"),
        "images": int(row["images"]),
        "rank": rounded([row["rank"]])[0],
        "signs": rounded([row["signs"]])[0],
        "place": row["place"].tolist(),
        "estimated": rounded(row["estimated"]),
        "exact": _columns(row["exact"]),
    }


def _group_names(rows: Sequence[Row]) -> list[str]:
    """Name the groups; classes of the same name get their label, too."""
    groups = {row["address"].partition(":")[0]: row["group"] for row in rows}
    counts = Counter(groups.values())
    return [
        row["group"]
        if row["kind"] != "class" or counts[row["group"]] == 1
        else f"{row['group']} ({row['address'].partition(':')[0].partition('.')[2]})"
        for row in rows
    ]


def _columns(intervals: NDArray[Any]) -> list[list[float | None]]:
    """Return estimates, low ends and high ends of sites, shape (P, 3)."""
    return [rounded(column) for column in intervals.T]


def _plain(value: Any) -> int | str:
    return value if isinstance(value, str) else int(value)
