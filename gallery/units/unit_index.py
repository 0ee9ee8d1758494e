"""What a page is told of its units: details of each picture row, and the columns of the list."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gallery.build.build_cache import ROW, ROWS
from gallery.build.js_data import Shards
from gallery.build.plan import Plan, Render
from gallery.build.worker import Made
from gallery.units.image_similarity import nearest_images
from gallery.units.unit_columns import ACTIVATION, Quantity, quantities, units_script
from gallery.units.unit_metrics import UnitMetrics

Tell = Callable[[Render], Sequence[Any]]


class UnitIndexWriter:
    """Collect what is told of the rows of a model, and write it when all are known.

    Parameters
    ----------
    folder : Path
        The model's.
    tell : callable
        Gives what a row's details begin and end with: its command, and links.
    beside : UnitMetrics
        What is known of units beside their pictures.

    Attributes
    ----------
    rows : array
        What the next export needs of each row.
    """

    def __init__(self, plan: Plan, folder: Path, tell: Tell, beside: UnitMetrics) -> None:
        self._plan, self._folder, self._tell, self._beside = plan, folder, tell, beside
        self.rows = np.zeros(sum(1 for _ in plan.renders()), ROW)
        self._renders: list[list[tuple[int, int, int, int]]] = [[] for _ in range(plan.units)]
        self._columns: defaultdict[Quantity, dict[int, float]] = defaultdict(dict)
        # What `finish` reads again: details name other units, all of which have to be known first.
        self._spool = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115

    def add(self, render: Render, made: Made) -> None:
        """Note what the page is told of a row; rows come in order."""
        command, links = self._tell(render)
        entry = [command, made.size, made.activation, made.trajectory, links]
        first = not self._renders[render.unit]
        samples = len(made.activation)
        self._renders[render.unit].append((render.group, render.row, samples, made.best))
        if not made.damage:
            self.rows[render.row] = (
                render.key.encode(),
                made.best,
                made.value,
                made.describe_image,
            )
        told, values = (None, {}) if made.damage else self._beside.of(render)
        if first:
            self._columns[ACTIVATION][render.unit] = made.value
        for quantity, value in values.items():
            self._columns[quantity].setdefault(render.unit, value)
        self._spool.write(json.dumps([render.unit, entry, told]) + "\n")

    def finish(self, alike: Sequence[Any] | None) -> dict[str, Any]:
        """Write details and columns; return what the page's script says of the units.

        Parameters
        ----------
        alike : sequence or None
            Of each unit, those that natural images excite alike.
        """
        self._write_details(alike)
        np.save(self._folder / ROWS, self.rows)
        count = self._plan.units
        columns = {
            quantity: [found.get(unit, math.nan) for unit in range(count)]
            for quantity, found in self._columns.items()
        }
        addresses = self._plan.addresses()
        sites = [layer.name for layer in self._plan.layers for _ in layer.units]
        tails = [unit[len(site) :] for site, unit in zip(sites, addresses, strict=True)]
        text = units_script(tails, self._renders, columns)
        (self._folder / "units.js").write_text(text, encoding="ascii")
        return {
            "numbers": quantities(columns),
            "sites": [
                {
                    "name": layer.name,
                    "count": len(layer.units),
                    "wide": layer.wide,
                    "sheets": sum(1 for _ in layer.sheets()),
                }
                for layer in self._plan.layers
            ],
        }

    def close(self) -> None:
        """Let go of what is held for `finish`."""
        self._spool.close()

    def _write_details(self, activation: Sequence[Any] | None) -> None:
        firsts = {renders[0].row for layer in self._plan.layers for renders in layer.units}
        looks = self.rows["look"][sorted(firsts)]
        alike = list(nearest_images(looks))
        details = Shards(self._folder, "details")
        self._spool.seek(0)
        for line in self._spool:
            unit, entry, told = json.loads(line)
            known = None if activation is None else activation[unit]
            similar = {"picture": alike[unit], "activation": known}
            details.add([*entry, similar, told])
        details.flush()
