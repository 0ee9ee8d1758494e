"""Table of effects: one number for every metric, site and image, and its storage."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featviz._util import html
from featviz._util.files import replacing
from featviz.errors import FeatvizError
from featviz.store.reader import Store
from patching.interventions.selection import Sites

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mode = Literal["denoising", "noising"]


TRACES, SITES = "traces", "trace_sites"
"""Kinds of results in a store: effects by image, and sites."""


class Row(NamedTuple):
    """One row of the long table; see `Table`."""

    image: int
    label: int
    site: str
    layer: int
    head: str
    token: str
    window: int
    metric: str
    clean: float
    corrupted: float
    restored: float
    effect: float


SHOWN = 60
"""Sites that a notebook shows of a table."""


@dataclass(frozen=True, repr=False)
class Table:
    """M metrics of N images, unpatched and with each of S patches.

    `rows` iterates over the same data as a long table. Denoising patches the corrupted run with
    clean activations; noising patches the clean run with corrupted activations.

    Attributes
    ----------
    mode : str
        ``"denoising"`` or ``"noising"``.
    metric : tuple of str
    sites : Sites
    image : int64 array, shape (N,)
        Indices of the images in their dataset.
    label : int64 array, shape (N,)
    right : bool array, shape (N,)
        Whether the clean run classifies the image correctly.
    clean, corrupted : float64 arrays, shape (M, N)
        Metrics of the unpatched runs.
    restored : float64 array, shape (M, S, N)
        Metrics of the patched runs, for denoising and noising.
    left_out : int
        Number of images that `only_right` removed.
    """

    mode: Mode
    metric: tuple[str, ...]
    sites: Sites
    image: Integers
    label: Integers
    right: NDArray[np.bool_]
    clean: Floats
    corrupted: Floats
    restored: Floats
    left_out: int = 0

    def __len__(self) -> int:
        """Return the number of rows of the long table."""
        return self.restored.size

    def __repr__(self) -> str:
        return f"<Table of {self._size()}>"

    def _repr_html_(self) -> str:
        """Show the mean effect of each site over the images, for each metric, in a notebook."""
        means = self.effect.mean(2).T if len(self.image) else np.full((len(self.sites), 0), np.nan)
        rows = [(*site, *values) for site, values in zip(self.sites, means.tolist(), strict=True)]
        names = [field.name for field in fields(Sites)]
        caption = f"Mean effect over images: {self._size()}"
        more = len(rows) - SHOWN
        found = html.table((*names, *self.metric), rows[:SHOWN], caption)
        return found + (html.paragraph(f"and {more} more sites") if more > 0 else "")

    def _size(self) -> str:
        return (
            f"{self.mode}, {len(self.metric)} metrics, {len(self.sites)} sites, "
            f"{len(self.image)} images"
        )

    @property
    def base(self) -> Floats:
        """Metrics of the run that is patched, (M, N)."""
        return self.corrupted if self.mode == "denoising" else self.clean

    @property
    def total(self) -> Floats:
        """Total effects, (M, N): the donor run minus the base run, the effect of a full patch."""
        whole = self.clean - self.corrupted
        return whole if self.mode == "denoising" else -whole

    @property
    def effect(self) -> Floats:
        """Indirect effects, (M, S, N): the patched run minus the base run.

        Where a site carries the cue of a label, its probability rises in denoising and falls in
        noising.
        """
        return self.restored - self.base[:, None]

    def select(self, **wanted: object) -> Table:
        """Select sites and metrics by their values.

        Parameters
        ----------
        **wanted : value, or list, tuple, range or set of values
            Attributes of `Sites`, and ``metric``: ``select(site="z", layer=range(4))``. Heads and
            tokens may be given as integers.

        Returns
        -------
        Table

        Raises
        ------
        FeatvizError
            If there is no such column, or no site matches.
        """
        names = [field.name for field in fields(Sites)]
        here, metrics = np.ones(len(self.sites), bool), np.ones(len(self.metric), bool)
        for name, value in wanted.items():
            if name not in (*names, "metric"):
                raise FeatvizError(
                    f"unknown column {name!r}; choose from {', '.join(names)}, metric"
                )
            values = value if isinstance(value, list | tuple | range | set) else [value]
            column = np.array(self.metric) if name == "metric" else getattr(self.sites, name)
            found = np.isin(column.astype(str), [str(each) for each in values])
            if not found.any():
                raise FeatvizError(f"no site has {name} {', '.join(map(str, values))}")
            if name == "metric":
                metrics &= found
            else:
                here &= found
        if not here.any():
            chosen = ", ".join(f"{name} {value}" for name, value in wanted.items())
            raise FeatvizError(f"no site has both {chosen}")
        return replace(
            self,
            metric=tuple(np.array(self.metric)[metrics].tolist()),
            sites=Sites(*(getattr(self.sites, name)[here] for name in names)),
            clean=self.clean[metrics],
            corrupted=self.corrupted[metrics],
            restored=self.restored[metrics][:, here],
        )

    def images(self, chosen: NDArray[np.bool_]) -> Table:
        """Select images by a mask.

        Parameters
        ----------
        chosen : bool array, shape (N,)

        Returns
        -------
        Table
        """
        return replace(
            self,
            image=self.image[chosen],
            label=self.label[chosen],
            right=self.right[chosen],
            clean=self.clean[:, chosen],
            corrupted=self.corrupted[:, chosen],
            restored=self.restored[..., chosen],
        )

    def only_right(self) -> Table:
        """Return the table without images that the clean run misclassifies; counts them."""
        left_out = self.left_out + int((~self.right).sum())
        return replace(self.images(self.right), left_out=left_out)

    def rows(self) -> Iterator[Row]:
        """Iterate over the long table: by image, then site, then metric."""
        effect = self.effect
        sites = list(self.sites)
        images = zip(self.image.tolist(), self.label.tolist(), strict=True)
        for n, (image, label) in enumerate(images):
            for s, (site, layer, head, token, window) in enumerate(sites):
                for m, metric in enumerate(self.metric):
                    yield Row(
                        image,
                        label,
                        site,
                        layer,
                        head,
                        token,
                        window,
                        metric,
                        float(self.clean[m, n]),
                        float(self.corrupted[m, n]),
                        float(self.restored[m, s, n]),
                        float(effect[m, s, n]),
                    )

    def to_csv(self, path: str | Path) -> None:
        """Write the long table to a new CSV file with a header.

        Parameters
        ----------
        path : str or Path

        Raises
        ------
        FeatvizError
            If `path` exists or cannot be written.
        """
        target = Path(path)
        if os.path.lexists(target):
            raise FeatvizError(f"{target} already exists; choose another name")
        with (
            replacing(target) as descriptor,
            open(descriptor, "w", newline="", encoding="utf-8", closefd=False) as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(self.rows())


def concatenate(tables: Sequence[Table]) -> Table:
    """Concatenate tables along images.

    Parameters
    ----------
    tables : sequence of Table
        At least one; of the same mode, metrics and sites, without common images.

    Returns
    -------
    Table

    Raises
    ------
    FeatvizError
        If the tables do not meet these conditions.
    """
    if not tables:
        raise FeatvizError("there are no tables to concatenate")
    first = tables[0]
    for table in tables[1:]:
        same = (table.mode, table.metric) == (first.mode, first.metric) and all(
            np.array_equal(getattr(table.sites, field.name), getattr(first.sites, field.name))
            for field in fields(Sites)
        )
        if not same:
            raise FeatvizError("tables of different modes, metrics or sites cannot be concatenated")
    image = np.concatenate([table.image for table in tables])
    if len(np.unique(image)) < len(image):
        raise FeatvizError("an image is in more than one of the tables")
    return replace(
        first,
        image=image,
        label=np.concatenate([table.label for table in tables]),
        right=np.concatenate([table.right for table in tables]),
        clean=np.concatenate([table.clean for table in tables], axis=1),
        corrupted=np.concatenate([table.corrupted for table in tables], axis=1),
        restored=np.concatenate([table.restored for table in tables], axis=2),
        left_out=sum(table.left_out for table in tables),
    )


def read_traces(store: str | Path | Store) -> Table:
    """Read the effects in a store, in the order of the images.

    Parameters
    ----------
    store : str, Path or Store

    Returns
    -------
    Table

    Raises
    ------
    FeatvizError
        If the store has no effects, or is damaged.
    """
    opened = store if isinstance(store, Store) else Store(store)
    if not {TRACES, SITES} <= set(opened.kinds):
        raise FeatvizError(f"{opened.path} has no effects; create them with `featviz trace -o`")
    sites = sorted(opened.rows(SITES), key=lambda row: int(row["place"]))
    rows = sorted(opened.rows(TRACES), key=lambda row: _index(row["address"]))
    settings = opened.configuration[TRACES]
    clean, corrupted, restored = (
        np.stack([row[name] for row in rows], axis=-1).astype(np.float64)
        for name in ("clean", "corrupted", "restored")
    )
    return Table(
        settings["mode"],
        tuple(settings["metrics"]),
        Sites(
            np.array([row["site"] for row in sites]),
            np.array([row["layer"] for row in sites], np.int64),
            np.array([row["head"] for row in sites]),
            np.array([row["token"] for row in sites]),
            np.array([row["window"] for row in sites], np.int64),
        ),
        np.array([_index(row["address"]) for row in rows], np.int64),
        np.array([row["label"] for row in rows], np.int64),
        np.array([row["right"] for row in rows], bool),
        clean,
        corrupted,
        restored.swapaxes(0, 1),
    )


def _index(address: str) -> int:
    return int(address.partition(":")[2])
