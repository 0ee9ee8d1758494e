"""The files of a model's units: pictures, sheets and thumbnails."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from featviz.errors import FeatvizError
from gallery.build.build_cache import ModelBuildCache
from gallery.build.options import Options
from gallery.build.plan import Layer, Plan, Render
from gallery.build.sheets import Sheet
from gallery.build.worker import Made, Work, make
from gallery.stores.row_reader import read
from gallery.units.unit_index import Tell, UnitIndexWriter
from gallery.units.unit_metrics import UnitMetrics

STRIP = 12  # pictures of a model on the index page
AHEAD = 16  # rows that wait for a thread, or for those before them


@dataclass
class _Pending:
    """A row that a thread works on, the sheet that waits for its cell, and its thumbnail."""

    render: Render
    future: Future[Made]
    sheet: _Filling | None
    strip: Path | None


@dataclass
class _Filling:
    """A sheet that is being filled."""

    sheet: Sheet
    path: Path
    left: int


class UnitFiles:
    """Write the files of a model's units, reading each row of the stores at most once.

    Parameters
    ----------
    folder : Path
        The model's.
    tell, beside
        See `gallery.units.unit_index.UnitIndexWriter`.
    previous : ModelBuildCache
        What there is to be taken over.

    Attributes
    ----------
    told : UnitIndexWriter
        What the page is told; it is written when all rows of the model are known.
    keys : dict
        Of each sheet and thumbnail that the next export may take over.
    damaged : list
        Rows that placeholders stand for, and why.
    pictures, reused : int
        Files of pictures, and rows that were taken over.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        options: Options,
        tell: Tell,
        previous: ModelBuildCache,
        beside: UnitMetrics,
    ) -> None:
        self._plan, self._folder, self._options = plan, folder, options
        self._previous = previous
        self.told = UnitIndexWriter(plan, folder, tell, beside)
        for name in ("sheets", "strip", *(() if options.thumbnails_only else ("pictures",))):
            (folder / name).mkdir()
        self._strip = {unit: place for place, unit in enumerate(spread(plan.units, STRIP))}
        self._pending: deque[_Pending] = deque()
        self._saving: list[Future[None]] = []
        self.keys: dict[str, dict[str, str]] = {"sheets": {}, "strip": {}}
        self.damaged: list[tuple[Render, str]] = []
        self.pictures = 0
        self.reused = 0

    def steps(self, pool: Executor) -> Iterator[None]:
        """Write pictures, sheets and thumbnails; yield after each row.

        Raises
        ------
        FeatvizError
            If no row at all can be shown.
        """
        for number, layer in enumerate(self._plan.layers):
            for part, units in enumerate(layer.sheets()):
                yield from self._sheet(pool, layer, f"{number}-{part}.webp", units)
        self._collect(pool, 0)
        for future in self._saving:
            future.result()
        if self.damaged and len(self.damaged) == len(self.told.rows):
            raise FeatvizError(self.damaged[0][1])

    def strip(self) -> list[str]:
        """Return the thumbnails for the index: paths in the model's folder, without suffix."""
        return [f"strip/{place}" for place in self._strip.values()]

    def _sheet(
        self, pool: Executor, layer: Layer, name: str, units: Sequence[Sequence[Render]]
    ) -> Iterator[None]:
        """Start everything that is to be done for the units of a sheet."""
        cell, path = self._plan.cell, self._folder / "sheets" / name
        keys = [str(cell), str(layer.wide), *(renders[0].key for renders in units)]
        key = hashlib.sha256("\0".join(keys).encode()).hexdigest()[:32]
        self.keys["sheets"][name] = key
        filling = None
        if not self._previous.take_file("sheets", key, path):
            filling = _Filling(Sheet(len(units), cell, layer.wide), path, len(units))
        taken, todo = {}, []
        for renders in units:
            for place, render in enumerate(renders):
                sheet = filling if place == 0 else None
                strip = self._take_strip(render) if place == 0 else None
                done = self._previous.take_row(render, self._pictures, self._options.form)
                if done is not None and sheet is None and strip is None:
                    taken[render.row] = done
                    continue
                folder = self._pictures if done is None else None
                height = cell if sheet is not None else None
                work = Work(render, folder, self._options.form, height, layer.wide, strip)
                self.reused += done is not None
                todo.append((work, sheet))
        rows = read(work.render for work, _ in todo)
        works = {work.render.row: (work, sheet) for work, sheet in todo}
        for renders in units:
            for render in renders:
                if render.row in works:
                    work, sheet = works[render.row]
                    future = pool.submit(make, work, next(rows))
                    self._pending.append(_Pending(render, future, sheet, work.strip))
                else:
                    future = Future()
                    future.set_result(taken[render.row])
                    self.reused += 1
                    self._pending.append(_Pending(render, future, None, None))
                self._collect(pool, AHEAD)
                yield

    @property
    def _pictures(self) -> Path | None:
        return None if self._options.thumbnails_only else self._folder / "pictures"

    def _take_strip(self, render: Render) -> Path | None:
        """Return where the thumbnail of a unit is to be written; None if it is not, or there."""
        if render.unit not in self._strip:
            return None
        name = f"{self._strip[render.unit]}.webp"
        self.keys["strip"][name] = render.key
        path = self._folder / "strip" / name
        return None if self._previous.take_file("strip", render.key, path) else path

    def _collect(self, pool: Executor, most: int) -> None:
        """Take in what is done, in order, until at most so many rows are pending."""
        while len(self._pending) > most:
            pending = self._pending.popleft()
            made = pending.future.result()
            self.told.add(pending.render, made)
            if not self._options.thumbnails_only:
                self.pictures += len(made.activation) * (1 + pending.render.paired)
            if made.damage:
                self._note_damage(pending, made.damage)
            filling = pending.sheet
            if filling is None or made.cell is None:
                continue
            filling.sheet.put(filling.sheet.count - filling.left, made.cell)
            filling.left -= 1
            if not filling.left:
                while self._saving:
                    self._saving.pop().result()
                self._saving.append(pool.submit(filling.sheet.save, filling.path))

    def _note_damage(self, pending: _Pending, damage: str) -> None:
        """Keep the next export from taking over what shows a placeholder: the row may be mended."""
        self.damaged.append((pending.render, damage))
        if pending.sheet is not None:
            self.keys["sheets"].pop(pending.sheet.path.name, None)
        if pending.strip is not None:
            self.keys["strip"].pop(pending.strip.name, None)


def spread(count: int, most: int) -> list[int]:
    """Choose at most so many of the numbers below a count, evenly spaced, each once."""
    return list(dict.fromkeys(i * count // most for i in range(most))) if count else []
