"""The files of one model's page: pictures, thumbnails, and the data that the page reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store import Row
from featviz.store.order import by_site
from gallery.command import render_command
from gallery.links import Links
from gallery.merge import PICTURES, Group, Model
from gallery.pictures import (
    Figures,
    best_sample,
    check_pairs,
    check_pictures,
    save_picture,
    save_thumbnail,
)
from gallery.scripts import Shards, numbers, script
from gallery.sections import SECTIONS, Filters, Place, Pointer
from gallery.sheets import Sheet, capacity, cell_size, make_cell
from gallery.units import ACTIVATION, quantities, units_script

STRIP = 12  # pictures of a model on the index page
SETTLED = {"sides": ["--sides"]}  # what a command needs that makes this kind


class ModelFiles:
    """Write the files of one model, one row at a time.

    Every name is a number given here; no text of a store takes part in a path.

        thumbs/ROW.webp               the best sample of a unit, small; query and key side by side
        pictures/ROW-SAMPLE.webp      every sample as stored
        pictures/ROW-SAMPLE-SIDE.webp where it has two sides: 0 is the query, 1 the key
        details/SHARD.js              command, size, activation, trajectory, links of 32 rows
        figures/NUMBER.webp           the pictures of all sections
        sections/NAME.js, tokens/SHARD.js  their data
        model.js                      everything else: layers, units, settings, failures

    Parameters
    ----------
    folder : Path
        Made here.
    """

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder = model, folder
        for name in ("thumbs", "pictures", "sections", "sheets"):
            (folder / name).mkdir(parents=True)
        self._place = Place(model, folder, Figures(folder / "figures"))
        self._sections = [section(self._place) for section in SECTIONS]
        self._owners = {kind: section for section in self._sections for kind in section.kinds}
        self._unit_groups = model.of(*PICTURES)
        self._links = Links(model)
        self._renders: defaultdict[str, list[list[int]]] = defaultdict(list)
        self._details = Shards(folder, "details")
        self._pictures = 0
        self._shown: dict[str, list[Any]] = {}
        self._values: dict[str, float] = {}

    @property
    def units(self) -> Container[str]:
        """The units that are rendered, as far as rows were added."""
        return self._renders.keys()

    def add(self, group: Group, row: Row) -> None:
        """Write the pictures of one row, and note the rest."""
        if group.kind in PICTURES:
            self._add_unit(group, row)
        else:
            self._owners[group.kind].add(group, row)

    def finish(self, others: Mapping[str, Pointer]) -> dict[str, Any]:
        """Write what is left; return the model's entry on the index page, less its page.

        Parameters
        ----------
        others : mapping
            See `Place.others`.
        """
        self._place.others.update(others)
        self._details.flush()
        failures = self.model.failures()
        sites = self._sites()
        units = [renders for _, rows in sites for _, renders in rows]
        shown = [section for section in self._sections if section.count()]
        if not units and not failures and not shown:
            paths = dict.fromkeys(str(s.path) for g in self.model.groups for s in g.stores)
            raise FeatvizError(
                f"{', '.join(paths) or self.model.name} holds nothing to show; "
                "run `featviz render` first"
            )
        for section in shown:
            text = script(f"sections/{section.name}", section.finish())
            (self.folder / f"sections/{section.name}.js").write_text(text, encoding="ascii")
        untrained = "random " if self.model.load.get("untrained") else ""
        counts = [(section.name, section.count()) for section in shown]
        head = {
            "name": self.model.name,
            "weights": f"{untrained}weights {self.model.fingerprint[:8]}",
            "sections": counts,
        }
        cell = cell_size(len(units))
        columns = {ACTIVATION: [self._values[unit] for _, rows in sites for unit, _ in rows]}
        page = {
            **head,
            "groups": self._groups(),
            "numbers": quantities(columns),
            "sites": [
                self._write_sheets(number, site, [unit for unit, _ in rows], cell)
                for number, (site, rows) in enumerate(sites)
            ],
            "cell": cell,
            "columns": 32,
            "pictures": "webp",
            "thumbnailsOnly": False,
            "labels": [],
            "failures": failures,
        }
        listed = [(site, [unit for unit, _ in rows]) for site, rows in sites]
        (self.folder / "units.js").write_text(
            units_script(listed, self._renders, columns), encoding="ascii"
        )
        (self.folder / "model.js").write_text(script("model", page), encoding="ascii")
        thumbs = [f"thumbs/{renders[0][1]}" for renders in units]
        filters = next(s.summary() for s in self._sections if isinstance(s, Filters))
        return {
            **head,
            "units": len(units),
            "pictures": self._pictures,
            "sites": len(sites),
            "failures": len(failures),
            "strip": _spread(thumbs or [path for section in shown for path in section.sample()]),
            "filters": filters,
        }

    def _add_unit(self, group: Group, row: Row) -> None:
        address, images = row["address"], row["images"]
        paired = group.kind == "sides"
        (check_pairs if paired else check_pictures)(address, images)
        best = best_sample(row["activation"])
        samples, (height, width) = len(images), images.shape[-3:-1]
        number = self._details.add(
            [
                render_command(
                    self.model.name,
                    address,
                    self.model.load,
                    group.configuration,
                    SETTLED.get(group.kind, []),
                ),
                [width, height],
                numbers(row["activation"]),
                [numbers(line) for line in row["trajectory"]],
                self._links.of(address),
                {"picture": [], "activation": None},
                None,
            ]
        )
        sides = list(images[best]) if paired else [images[best]]
        self._shown.setdefault(address, sides)
        self._values.setdefault(address, float(row["activation"][best]))
        save_thumbnail(sides, self.folder / "thumbs" / f"{number}.webp")
        for sample, picture in enumerate(images):
            stem = f"{number}-{sample}"
            named = {f"{stem}-{side}": p for side, p in enumerate(picture)} if paired else None
            for name, pixels in (named or {stem: picture}).items():
                save_picture(pixels, self.folder / "pictures" / f"{name}.webp")
                self._pictures += 1
        place = self._unit_groups.index(group)
        self._renders[address].append([place, number, samples, best])

    def _write_sheets(self, number: int, site: str, units: list[str], cell: int) -> dict[str, Any]:
        wide = any(len(self._shown[unit]) > 1 for unit in units)
        starts = range(0, len(units), capacity(wide))
        for part, start in enumerate(starts):
            some = units[start : start + capacity(wide)]
            sheet = Sheet(len(some), cell, wide)
            for place, unit in enumerate(some):
                sheet.put(place, make_cell(self._shown[unit], cell, wide))
            sheet.save(self.folder / "sheets" / f"{number}-{part}.webp")
        return {"name": site, "count": len(units), "wide": wide, "sheets": len(starts)}

    def _groups(self) -> list[dict[str, Any]]:
        """Label, settings and number of sides of each group of units."""
        mixed = len({group.kind for group in self._unit_groups}) > 1
        return [
            {
                "label": ", ".join(
                    text
                    for text in (_manner(group) if mixed else "", self.model.label(group))
                    if text
                ),
                "settings": list(group.settings.items()),
                "sides": 2 if group.kind == "sides" else 1,
            }
            for group in self._unit_groups
        ]

    def _sites(self) -> list[tuple[str, list[tuple[str, list[list[int]]]]]]:
        ordered = by_site(self._renders, self.model.sites)
        return [(site, [(unit, self._renders[unit]) for unit in found]) for site, found in ordered]


def _manner(group: Group) -> str:
    return "query and key images" if group.kind == "sides" else "one image"


def _spread(paths: list[str]) -> list[str]:
    """Choose at most 12, evenly spaced, each once."""
    if not paths:
        return []
    return list(dict.fromkeys(paths[i * len(paths) // STRIP] for i in range(STRIP)))
