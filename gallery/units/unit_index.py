"""The unit index of a page: details of each picture row, and the columns of the list."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.evidence.headline import Headline
from gallery.build.build_cache import ROW, ROWS
from gallery.build.js_data import Shards
from gallery.build.plan import Plan, Render
from gallery.build.sheets import fills_cell
from gallery.build.worker import RowResult
from gallery.units.image_similarity import Neighbors, mean_color, nearest_images
from gallery.units.unit_columns import ACTIVATION, NO_COLOR, Metric, describe_metrics, units_script
from gallery.units.unit_metrics import UnitMetrics

CommandAndLinks = tuple[str | None, Sequence[tuple[str, str]]]
"""Command that renders a row again, and links to other results: section and address."""


class UnitIndexWriter:
    """Collects the data of picture rows, and writes it when all rows are known.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Folder of the model.
    describe : callable
        Returns the command and the links of a render.
    metrics : UnitMetrics

    Attributes
    ----------
    rows : array
        Data of each row for the build cache; see `gallery.build.build_cache.ROW`.
    headlines : list of Headline
        Of each unit, of the rows added so far.
    sizes : dict of int to (int, int)
        Width and height of the pictures of each group, of the rows added so far.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        describe: Callable[[Render], CommandAndLinks],
        metrics: UnitMetrics,
    ) -> None:
        self._plan, self._folder, self._describe, self._metrics = plan, folder, describe, metrics
        self.rows = np.zeros(sum(1 for _ in plan.renders()), ROW)
        self._renders: list[list[tuple[int, int, int, int]]] = [[] for _ in range(plan.units)]
        self._columns: defaultdict[Metric, dict[int, float]] = defaultdict(dict)
        self.headlines = [Headline()] * plan.units
        self.sizes: dict[int, Sequence[int]] = {}
        self._colors = [NO_COLOR] * plan.units
        self._wide = [layer.wide for layer in plan.layers for _ in layer.units]
        # Details name similar units, which are known when all rows are. Until then, they are kept
        # in a temporary file.
        self._details = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115

    def add(self, render: Render, result: RowResult) -> None:
        """Add a row.

        Parameters
        ----------
        render : Render
            Rows are added in the order of the plan.
        result : RowResult
        """
        command, links = self._describe(render)
        entry = [command, result.size, result.activation, result.trajectory, links]
        self.sizes.setdefault(render.group, result.size)
        first = not self._renders[render.unit]
        samples = len(result.activation)
        self._renders[render.unit].append((render.group, render.row, samples, result.best))
        if not result.damage:
            self.rows[render.row] = (
                render.key.encode(),
                result.best,
                result.value,
                result.descriptor,
            )
        evidence, values, line = (
            (None, {}, Headline()) if result.damage else self._metrics.read(render)
        )
        if first:
            self._columns[ACTIVATION][render.unit] = result.value
            fills = fills_cell(result.size, self._plan.cell) and not self._wide[render.unit]
            if not result.damage and fills:
                self._colors[render.unit] = mean_color(result.descriptor)
        for metric, value in values.items():
            self._columns[metric].setdefault(render.unit, value)
        if not self.headlines[render.unit].text:
            self.headlines[render.unit] = line
        self._details.write(json.dumps([render.unit, entry, evidence]) + "\n")

    def activations(self) -> NDArray[np.float32]:
        """Return the activation of the picture of each unit, NaN if it is damaged."""
        firsts = [renders[0].row for layer in self._plan.layers for renders in layer.units]
        rows = self.rows[firsts]
        activations: NDArray[np.float32] = np.where(rows["key"] == b"", np.nan, rows["value"])
        return activations

    def finish(
        self, similar_by_activation: Sequence[Any] | None, correlated: Sequence[Any] | None
    ) -> dict[str, Any]:
        """Write the details, the columns and the rows for the build cache.

        Parameters
        ----------
        similar_by_activation : sequence or None
            See `gallery.units.natural_images.NaturalImages.similar_units`.
        correlated : sequence or None
            See `gallery.units.natural_images.NaturalImages.correlated_units`.

        Returns
        -------
        dict
            Metrics and sites, for the data file of the model.
        """
        self._write_details({"activation": similar_by_activation, "correlation": correlated})
        np.save(self._folder / ROWS, self.rows)
        count = self._plan.units
        columns = {
            metric: [values.get(unit, math.nan) for unit in range(count)]
            for metric, values in self._columns.items()
        }
        addresses = self._plan.addresses()
        sites = [layer.name for layer in self._plan.layers for _ in layer.units]
        suffixes = [unit[len(site) :] for site, unit in zip(sites, addresses, strict=True)]
        text = units_script(suffixes, self._renders, columns, self.headlines, self._colors)
        (self._folder / "units.js").write_text(text, encoding="ascii")
        return {
            "metrics": describe_metrics(columns),
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
        """Delete the temporary file."""
        self._details.close()

    @cached_property
    def descriptors(self) -> NDArray[np.uint8]:
        """Image descriptors of the first picture of each unit, shape (N, 54), of all rows."""
        firsts = [renders[0].row for layer in self._plan.layers for renders in layer.units]
        found: NDArray[np.uint8] = self.rows["descriptor"][firsts]
        return found

    @cached_property
    def similar_by_picture(self) -> Neighbors:
        """Units with the most similar pictures; see `nearest_images`."""
        return list(nearest_images(self.descriptors))

    def _write_details(self, similar_by: dict[str, Sequence[Any] | None]) -> None:
        shards = Shards(self._folder, "details")
        self._details.seek(0)
        for line in self._details:
            unit, entry, evidence = json.loads(line)
            similar = {"picture": self.similar_by_picture[unit]} | {
                name: None if found is None else found[unit] for name, found in similar_by.items()
            }
            shards.add([*entry, similar, evidence])
        shards.flush()
