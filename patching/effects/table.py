"""The effects of all patched runs: one number for every metric, site and image."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featviz._util.files import replacing
from featviz.errors import FeatvizError
from featviz.store.reader import Store

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mode = Literal["denoising", "noising"]

ALL = "all"
"""Stands for every head, or every token."""


@dataclass(frozen=True)
class Sites:
    """Where S patches replace activations, each attribute of shape (S,).

    Attributes
    ----------
    site : array of str
        A kind of `patching.interventions.targets.KINDS`.
    layer : array of int64
        The block, or the middle one of a window.
    head, token : arrays of str
        A number, a name such as ``class`` or ``patches``, or ``all``. Neurons count as heads.
    window : array of int64
        How many blocks are patched together.
    """

    site: NDArray[np.str_]
    layer: Numbers
    head: NDArray[np.str_]
    token: NDArray[np.str_]
    window: Numbers

    def __len__(self) -> int:
        """Count the sites."""
        return len(self.site)

    def __iter__(self) -> Iterator[tuple[str, int, str, str, int]]:
        """Go through the sites, each a tuple of its attributes."""
        return zip(
            self.site.tolist(),
            self.layer.tolist(),
            self.head.tolist(),
            self.token.tolist(),
            self.window.tolist(),
            strict=True,
        )


class Row(NamedTuple):
    """One line of the long table; see `Table`."""

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


@dataclass(frozen=True)
class Table:
    """M metrics of N images, unpatched and with a patch at each of S sites.

    The long table of `rows`, with nothing said twice. In denoising the corrupted run is patched
    with clean activations; in noising the clean run with corrupted ones.

    Attributes
    ----------
    mode : str
        ``"denoising"`` or ``"noising"``.
    metric : tuple of str
    sites : Sites
    image : int64 array, shape (N,)
        Numbers of the images in their dataset.
    label : int64 array, shape (N,)
    right : bool array, shape (N,)
        Whether the clean run's answer is the label.
    clean, corrupted : float64 arrays, shape (M, N)
        Of the unpatched runs.
    restored : float64 array, shape (M, S, N)
        Of the patched runs, in noising, too.
    left_out : int
        How many images `only_right` has left out.
    """

    mode: Mode
    metric: tuple[str, ...]
    sites: Sites
    image: Numbers
    label: Numbers
    right: NDArray[np.bool_]
    clean: Floats
    corrupted: Floats
    restored: Floats
    left_out: int = 0

    def __len__(self) -> int:
        """Count the rows of the long table."""
        return self.restored.size

    @property
    def base(self) -> Floats:
        """The metrics of the run that is patched, (M, N)."""
        return self.corrupted if self.mode == "denoising" else self.clean

    @property
    def total(self) -> Floats:
        """Total effects, (M, N): the donor's run less the base's, so that a full patch has them."""
        whole = self.clean - self.corrupted
        return whole if self.mode == "denoising" else -whole

    @property
    def effect(self) -> Floats:
        """Indirect effects, (M, S, N): the patched run less the base's.

        Where a site carries the cue of a label, probabilities rise in denoising, and fall in
        noising.
        """
        return self.restored - self.base[:, None]

    def select(self, **wanted: object) -> Table:
        """Take the sites at which columns have certain values.

        Parameters
        ----------
        wanted : value, or list, tuple, range or set of values
            By the attributes of `Sites`, and ``metric``: ``select(site="z", layer=range(4))``.
            Heads and tokens may be given as numbers.

        Raises
        ------
        FeatvizError
            If there is no such column, or nothing is left.
        """
        names = [field.name for field in fields(Sites)]
        here, metrics = np.ones(len(self.sites), bool), np.ones(len(self.metric), bool)
        for name, value in wanted.items():
            if name not in (*names, "metric"):
                raise FeatvizError(f"sites have {', '.join(names)} and metric, and no {name}")
            values = value if isinstance(value, list | tuple | range | set) else [value]
            column = np.array(self.metric) if name == "metric" else getattr(self.sites, name)
            found = np.isin(column.astype(str), [str(one) for one in values])
            if not found.any():
                raise FeatvizError(f"no site has {name} {', '.join(map(str, values))}")
            if name == "metric":
                metrics &= found
            else:
                here &= found
        if not here.any():
            chosen = ", ".join(f"{name} {value}" for name, value in wanted.items())
            raise FeatvizError(f"no site has {chosen} at once")
        return replace(
            self,
            metric=tuple(np.array(self.metric)[metrics].tolist()),
            sites=Sites(*(getattr(self.sites, name)[here] for name in names)),
            clean=self.clean[metrics],
            corrupted=self.corrupted[metrics],
            restored=self.restored[metrics][:, here],
        )

    def images(self, chosen: NDArray[np.bool_]) -> Table:
        """Take the images at which a mask (N,) is true."""
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
        """Leave out, and count, the images that the clean run gets wrong."""
        left_out = self.left_out + int((~self.right).sum())
        return replace(self.images(self.right), left_out=left_out)

    def rows(self) -> Iterator[Row]:
        """Write the long table out: image by image, in each site by site, metric by metric."""
        effect = self.effect
        places = list(self.sites)
        for number, (image, label) in enumerate(
            zip(self.image.tolist(), self.label.tolist(), strict=True)
        ):
            for place, (site, layer, head, token, window) in enumerate(places):
                for index, metric in enumerate(self.metric):
                    yield Row(
                        image,
                        label,
                        site,
                        layer,
                        head,
                        token,
                        window,
                        metric,
                        float(self.clean[index, number]),
                        float(self.corrupted[index, number]),
                        float(self.restored[index, place, number]),
                        float(effect[index, place, number]),
                    )

    def to_csv(self, path: str | Path) -> None:
        """Write the long table to a new file, with a line of headings.

        Raises
        ------
        FeatvizError
            If there is something at `path`, or it cannot be written.
        """
        target = Path(path)
        if os.path.lexists(target):
            raise FeatvizError(f"{target} is there already; choose another name")
        with (
            replacing(target) as descriptor,
            open(descriptor, "w", newline="", encoding="utf-8", closefd=False) as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(self.rows())


def joined(tables: Sequence[Table]) -> Table:
    """Put the images of tables one after another.

    Raises
    ------
    FeatvizError
        If they differ in mode, metrics or sites, or share an image, or there is none.
    """
    if not tables:
        raise FeatvizError("there are no effects to join")
    first = tables[0]
    for table in tables[1:]:
        same = (table.mode, table.metric) == (first.mode, first.metric) and all(
            np.array_equal(getattr(table.sites, field.name), getattr(first.sites, field.name))
            for field in fields(Sites)
        )
        if not same:
            raise FeatvizError("effects of other modes, metrics or sites cannot be joined")
    image = np.concatenate([table.image for table in tables])
    if len(np.unique(image)) < len(image):
        raise FeatvizError("an image is in two of the tables that are joined")
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
    """Read the effects that a store holds, in the order of the images.

    Raises
    ------
    FeatvizError
        If it holds none, or is damaged.
    """
    opened = store if isinstance(store, Store) else Store(store)
    if not {TRACES, SITES} <= set(opened.kinds):
        raise FeatvizError(f"{opened.path} holds no effects; `featviz trace -o` makes them")
    sites = sorted(opened.rows(SITES), key=lambda row: int(row["place"]))
    rows = sorted(opened.rows(TRACES), key=lambda row: _number(row["address"]))
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
        np.array([_number(row["address"]) for row in rows], np.int64),
        np.array([row["label"] for row in rows], np.int64),
        np.array([row["right"] for row in rows], bool),
        clean,
        corrupted,
        restored.swapaxes(0, 1),
    )


TRACES, SITES = "traces", "trace_sites"


def _number(address: str) -> int:
    return int(address.partition(":")[2])
