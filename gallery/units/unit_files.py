"""The picture files of a model's units: pictures, sprite sheets and index thumbnails."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from featviz.errors import FeatvizError
from gallery.build.build_cache import ModelBuildCache
from gallery.build.options import Options
from gallery.build.plan import Layer, Plan, Render
from gallery.build.sheets import Sheet
from gallery.build.worker import RowResult, RowTask, process_row
from gallery.stores.row_reader import read_rows
from gallery.units.unit_index import CommandAndLinks, UnitIndexWriter
from gallery.units.unit_metrics import UnitMetrics

STRIP = 12  # thumbnails of a model on the index page
MAX_PENDING = 16  # rows that are being processed, or wait for those before them
MAX_SAVING = 8  # sheets that are being saved
SHEETS_AT_ONCE = 64  # whose rows are read in one go, so that few shards are read twice


@dataclass
class _OpenSheet:
    """A sheet that is being filled."""

    sheet: Sheet
    path: Path
    remaining: int


@dataclass
class _PendingRow:
    """A row that a thread processes, with the sheet and the thumbnail that it is part of."""

    render: Render
    future: Future[RowResult]
    sheet: _OpenSheet | None
    strip: Path | None


class UnitFiles:
    """Writes the picture files of a model's units; each row of the stores is read at most once.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Folder of the model.
    options : Options
    describe : callable
        See `gallery.units.unit_index.UnitIndexWriter`.
    previous : ModelBuildCache
        Files of the previous edition, which are reused.
    metrics : UnitMetrics

    Attributes
    ----------
    index : UnitIndexWriter
        Has all rows when `steps` has ended.
    keys : dict
        Cache key of each sheet and thumbnail, by folder and name.
    damaged : list
        Renders that are shown as placeholders, with reasons.
    pictures, reused : int
        Number of picture files, and of reused rows.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        options: Options,
        describe: Callable[[Render], CommandAndLinks],
        previous: ModelBuildCache,
        metrics: UnitMetrics,
    ) -> None:
        self._plan, self._folder, self._options = plan, folder, options
        self._previous = previous
        self.index = UnitIndexWriter(plan, folder, describe, metrics)
        for name in ("sheets", "strip", *(() if options.thumbnails_only else ("pictures",))):
            (folder / name).mkdir()
        self._strip = {unit: index for index, unit in enumerate(spread(plan.units, STRIP))}
        self._pending: deque[_PendingRow] = deque()
        self._saving: deque[Future[None]] = deque()
        self.keys: dict[str, dict[str, str]] = {"sheets": {}, "strip": {}}
        self.damaged: list[tuple[Render, str]] = []
        self.pictures = 0
        self.reused = 0

    def steps(self, pool: Executor) -> Iterator[None]:
        """Write all files; yield after each row.

        Parameters
        ----------
        pool : Executor
            Threads that process rows.

        Raises
        ------
        FeatvizError
            If all rows are damaged.
        """
        for index, layer in enumerate(self._plan.layers):
            parts = enumerate(layer.sheets())
            while some := list(islice(parts, SHEETS_AT_ONCE)):
                sheets = [(f"{index}-{part}.webp", units) for part, units in some]
                yield from self._write_sheets(pool, layer, sheets)
        self._collect(pool, 0)
        for future in self._saving:
            future.result()
        if self.damaged and len(self.damaged) == len(self.index.rows):
            raise FeatvizError(self.damaged[0][1])

    def strip(self) -> list[tuple[str, str, str]]:
        """Return the thumbnails for the index page.

        Returns
        -------
        list of (str, str, str)
            Path in the folder, without suffix; address and headline of the unit.
        """
        addresses = self._plan.addresses()
        return [
            (f"strip/{index}", addresses[unit], self.index.headlines[unit].text)
            for unit, index in self._strip.items()
        ]

    def _write_sheets(
        self,
        pool: Executor,
        layer: Layer,
        sheets: Sequence[tuple[str, Sequence[Sequence[Render]]]],
    ) -> Iterator[None]:
        """Reuse or start processing all rows of the units on some sheets of a layer."""
        reused: dict[int, RowResult] = {}
        tasks: dict[int, tuple[RowTask, _OpenSheet | None]] = {}
        for name, units in sheets:
            sheet = self._open_sheet(layer, name, units)
            for renders in units:
                for position, render in enumerate(renders):
                    its_sheet = sheet if position == 0 else None
                    task = self._task(layer, render, position == 0, its_sheet)
                    if isinstance(task, RowTask):
                        tasks[render.row] = task, its_sheet
                    else:
                        reused[render.row] = task
        rows = read_rows([task.render for task, _ in tasks.values()])
        for _, units in sheets:
            for render in (render for renders in units for render in renders):
                if render.row in tasks:
                    task, its_sheet = tasks.pop(render.row)
                    future = pool.submit(process_row, task, next(rows))
                    self._pending.append(_PendingRow(render, future, its_sheet, task.strip))
                else:
                    future = Future()
                    future.set_result(reused.pop(render.row))
                    self._pending.append(_PendingRow(render, future, None, None))
                self._collect(pool, MAX_PENDING)
                yield

    def _task(
        self, layer: Layer, render: Render, is_first: bool, sheet: _OpenSheet | None
    ) -> RowTask | RowResult:
        """Reuse a row; return what is left to do, or the result if nothing is."""
        strip = self._strip_path(render) if is_first else None
        pictures = None if render.natural else self._pictures
        cached = self._previous.link_row(render, pictures, self._options.image_format)
        self.reused += cached is not None
        if cached is not None and strip is None and sheet is None:
            return cached
        return RowTask(
            render,
            pictures=pictures if cached is None else None,
            image_format=self._options.image_format,
            cell=None if sheet is None else self._plan.cell,
            wide=layer.wide,
            strip=strip,
        )

    def _open_sheet(
        self, layer: Layer, name: str, units: Sequence[Sequence[Render]]
    ) -> _OpenSheet | None:
        """Reuse a sheet, or start a new one; return the new one."""
        cell, path = self._plan.cell, self._folder / "sheets" / name
        parts = [str(cell), str(layer.wide), *(renders[0].key for renders in units)]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        self.keys["sheets"][name] = key
        if self._previous.link_file("sheets", key, path):
            return None
        return _OpenSheet(Sheet(len(units), cell, layer.wide), path, len(units))

    @property
    def _pictures(self) -> Path | None:
        return None if self._options.thumbnails_only else self._folder / "pictures"

    def _strip_path(self, render: Render) -> Path | None:
        """Return the path of a thumbnail to write; None if there is none, or it is reused."""
        if render.unit not in self._strip:
            return None
        name = f"{self._strip[render.unit]}.webp"
        self.keys["strip"][name] = render.key
        path = self._folder / "strip" / name
        return None if self._previous.link_file("strip", render.key, path) else path

    def _collect(self, pool: Executor, max_pending: int) -> None:
        """Process results in order, until at most `max_pending` rows are pending."""
        while len(self._pending) > max_pending:
            pending = self._pending.popleft()
            result = pending.future.result()
            self.index.add(pending.render, result)
            if not self._options.thumbnails_only and not pending.render.natural:
                self.pictures += len(result.activation) * (1 + pending.render.paired)
            if result.damage:
                self._record_damage(pending, result.damage)
            open_sheet = pending.sheet
            if open_sheet is None or result.cell is None:
                continue
            open_sheet.sheet.put(open_sheet.sheet.count - open_sheet.remaining, result.cell)
            open_sheet.remaining -= 1
            if not open_sheet.remaining:
                while len(self._saving) >= MAX_SAVING:
                    self._saving.popleft().result()
                self._saving.append(pool.submit(open_sheet.sheet.save, open_sheet.path))

    def _record_damage(self, pending: _PendingRow, damage: str) -> None:
        """Record a damaged row. Files with its placeholder are not reused by the next export."""
        self.damaged.append((pending.render, damage))
        if pending.sheet is not None:
            self.keys["sheets"].pop(pending.sheet.path.name, None)
        if pending.strip is not None:
            self.keys["strip"].pop(pending.strip.name, None)


def spread(count: int, most: int) -> list[int]:
    """Choose evenly spaced indices below `count`.

    Parameters
    ----------
    count, most : int
        At most `most` indices are chosen.

    Returns
    -------
    list of int
        Ascending and unique.
    """
    return list(dict.fromkeys(i * count // most for i in range(most))) if count else []
