"""The files of one model's page: pictures, thumbnails, and the data that the page reads."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store import Row
from featviz.store.order import by_site
from gallery.command import render_command
from gallery.merge import Group, Model
from gallery.pictures import LARGEST, best_sample, save_picture, save_thumbnail
from gallery.scripts import numbers, script

DETAILS_A_SHARD = 32  # as in static/model.js
STRIP = 12  # thumbnails on the index page


class ModelFiles:
    """Write the files of one model, one picture row at a time.

    Every name is a number given here; no text of a store takes part in a path.

        thumbs/ROW.webp             the best sample of a row, small
        pictures/ROW-SAMPLE.webp    every sample as stored
        details/SHARD.js            command, size, activation and trajectory of 32 rows
        model.js                    everything else: layers, units, settings, failures

    Parameters
    ----------
    folder : Path
        Made here.
    """

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder = model, folder
        for name in ("thumbs", "pictures", "details"):
            (folder / name).mkdir(parents=True)
        self._renders: defaultdict[str, list[list[int]]] = defaultdict(list)
        self._details: list[list[Any]] = []
        self._rows = 0
        self._pictures = 0

    def add(self, group: Group, row: Row) -> None:
        """Write the pictures of one row, and note the rest."""
        address, images = row["address"], row["images"]
        if not images.size or max(images.shape) > LARGEST:
            raise FeatvizError(f"{address} cannot be shown: its pictures are {images.shape}")
        best = best_sample(row["activation"])
        save_thumbnail(images[best], self.folder / "thumbs" / f"{self._rows}.webp")
        for sample, pixels in enumerate(images):
            save_picture(pixels, self.folder / "pictures" / f"{self._rows}-{sample}.webp")
        samples, height, width, _ = images.shape
        self._details.append(
            [
                render_command(self.model.name, address, self.model.load, group.configuration),
                [width, height],
                numbers(row["activation"]),
                [numbers(line) for line in row["trajectory"]],
            ]
        )
        place = self.model.groups.index(group)
        self._renders[address].append([place, self._rows, samples, best])
        self._rows += 1
        self._pictures += samples
        if len(self._details) == DETAILS_A_SHARD:
            self._flush()

    def finish(self) -> dict[str, Any]:
        """Write what is left; return the model's entry on the index page, less its page."""
        if self._details:
            self._flush()
        failures = self._failures()
        sites = self._sites()
        units = [renders for _, rows in sites for _, renders in rows]
        if not units and not failures:
            paths = ", ".join(str(s.path) for g in self.model.groups for s in g.stores)
            raise FeatvizError(f"{paths} holds no rendered unit; run `featviz render` first")
        untrained = "random " if self.model.load.get("untrained") else ""
        head = {
            "name": self.model.name,
            "weights": f"{untrained}weights {self.model.fingerprint[:8]}",
        }
        groups = [
            {
                "label": self.model.label(group),
                "settings": list(group.settings.items()),
            }
            for group in self.model.groups
        ]
        page = {**head, "groups": groups, "sites": sites, "failures": failures}
        (self.folder / "model.js").write_text(script("model", page), encoding="ascii")
        shown = [units[i * len(units) // STRIP] for i in range(STRIP)] if units else []
        return {
            **head,
            "units": len(units),
            "pictures": self._pictures,
            "sites": len(sites),
            "failures": len(failures),
            "strip": list(dict.fromkeys(renders[0][1] for renders in shown)),
        }

    def _sites(self) -> list[tuple[str, list[tuple[str, list[list[int]]]]]]:
        ordered = by_site(self._renders, self.model.sites)
        return [(site, [(unit, self._renders[unit]) for unit in found]) for site, found in ordered]

    def _failures(self) -> list[tuple[str, str, str]]:
        """Address, reason, and the group's label, in the order of the units."""
        reasons = [(group, group.failures()) for group in self.model.groups]
        ordered = by_site(
            {unit: None for _, failed in reasons for unit in failed}, self.model.sites
        )
        return [
            (unit, failed[unit], self.model.label(group))
            for _, found in ordered
            for unit in found
            for group, failed in reasons
            if unit in failed
        ]

    def _flush(self) -> None:
        shard = (self._rows - 1) // DETAILS_A_SHARD
        name = f"details/{shard}"
        (self.folder / f"{name}.js").write_text(script(name, self._details), encoding="ascii")
        self._details = []
