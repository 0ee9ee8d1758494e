"""The files of one model's page, and the data that the page reads."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.build_cache import ModelBuildCache
from gallery.build.images import Figures
from gallery.build.js_data import script
from gallery.build.options import Options
from gallery.build.plan import Plan, Render
from gallery.build.sheets import COLUMNS
from gallery.reproduce import render_command
from gallery.sections.base import Place, Pointer, Section
from gallery.sections.filters import Filters
from gallery.sections.registry import SECTIONS
from gallery.sections.report import NAME as REPORT
from gallery.sections.report import report
from gallery.stores.merge import PICTURES, Group, Model
from gallery.stores.tolerant_store import losses
from gallery.units.links import Links
from gallery.units.natural_images import Natural
from gallery.units.unit_files import STRIP, UnitFiles, spread
from gallery.units.unit_metrics import UnitMetrics

SETTLED = {"sides": ["--sides"]}  # what a command needs that makes this kind


class ModelFiles:
    """Write the files of one model, one row at a time.

    Every name is a number given here; no text of a store takes part in a path.

        model.js                      layers, groups, settings, failures
        units.js                      the units in columns
        sheets/LAYER-PART.webp        the best sample of each unit, small; sides are side by side
        pictures/ROW-SAMPLE.webp      every sample
        pictures/ROW-SAMPLE-SIDE.webp where it has two sides: 0 is the query, 1 the key
        details/SHARD.js              what a unit's view tells, of 32 rows
        strip/NUMBER.webp             12 pictures for the index
        examples/NUMBER.webp          natural images, by their numbers in the dataset
        figures/NUMBER.webp           the pictures of all sections
        sections/NAME.js, tokens/SHARD.js  their data
        rows.npy                      what the next export needs to know; no page reads it

    Parameters
    ----------
    plan : Plan
        Of the model's units.
    folder : Path
        Made here.
    previous : ModelBuildCache
        What there is to be taken over.
    """

    def __init__(
        self, model: Model, plan: Plan, folder: Path, options: Options, previous: ModelBuildCache
    ) -> None:
        self.model, self.plan, self.folder, self.options = model, plan, folder, options
        self._wanted = options.wanted
        (folder / "sections").mkdir(parents=True)
        self._place = Place(model, folder, Figures(folder / "figures"))
        self._sections = [section(self._place) for section in SECTIONS]
        self._owners = {kind: section for section in self._sections for kind in section.kinds}
        self._links = Links(model)
        self._refused: list[str] = []
        stores = list(dict.fromkeys(s for group in self.plan.groups for s in group.stores))
        self._natural = Natural(stores, folder, previous)
        self._beside = UnitMetrics(stores, self._natural.of)
        self.files = UnitFiles(self.plan, folder, options, self._tell, previous, self._beside)

    @property
    def units(self) -> Container[str]:
        """The units that have pictures."""
        return set(self.plan.addresses())

    @property
    def rows(self) -> int:
        """The rows that `steps` works through."""
        others = (group for group in self.model.groups if group.kind not in PICTURES)
        renders = sum(1 for _ in self.plan.renders())
        return renders + sum(len(group.addresses()) for group in others)

    def steps(self, pool: Executor) -> Iterator[None]:
        """Write all but what `finish` writes; yield after each row."""
        yield from self.files.steps(pool)
        for _ in self._natural.steps():
            pass  # they are not among the rows that are counted
        for group in self.model.groups:
            if group.kind not in PICTURES:
                for row in group.rows():
                    try:
                        self._owners[group.kind].add(group, row)
                    except FeatvizError as error:
                        self._refused.append(f"{group.kind} of {row['address']}: {error}")
                    yield

    def finish(self, others: Mapping[str, Pointer]) -> dict[str, Any]:
        """Write what is left; return the model's entry on the index page, less its page.

        Parameters
        ----------
        others : mapping
            See `Place.others`.
        """
        self._place.others.update(others)
        failures = self._failures()
        shown = [section for section in self._sections if self._finish(section)]
        if not self.plan.units and not failures and not shown:
            stores = self._stores()
            lost = [*losses(stores), *self._refused]
            paths = ", ".join(str(store.path) for store in stores) or self.model.name
            nothing = f"{paths} holds nothing to show; run `featviz render` first"
            raise FeatvizError(lost[0] if lost else nothing)
        about = report(self.model.name, [line for _, line in sorted(self._beside.lines.items())])
        if about is not None:
            text = script(f"sections/{REPORT}", about)
            (self.folder / f"sections/{REPORT}.js").write_text(text, encoding="ascii")
        untrained = "random " if self.model.load.get("untrained") else ""
        counts = [(section.name, section.count()) for section in shown]
        if about is not None:
            counts.insert(0, (REPORT, about["units"]))
        head = {
            "name": self.model.name,
            "weights": f"{untrained}weights {self.model.fingerprint[:8]}",
            "sections": counts,
        }
        page = {
            **head,
            **self.files.told.finish(self._natural.alike(self.plan.addresses())),
            "groups": self._groups(),
            "cell": self.plan.cell,
            "columns": COLUMNS,
            "pictures": self.options.form.name,
            "thumbnailsOnly": self.options.thumbnails_only,
            "labels": self._labels(),
            "failures": failures,
        }
        (self.folder / "model.js").write_text(script("model", page), encoding="ascii")
        figures = [path for section in shown for path in section.sample()]
        return {
            **head,
            "units": self.plan.units,
            "pictures": self.files.pictures,
            "sites": len(self.plan.layers),
            "failures": len(failures),
            "strip": self.files.strip() or [figures[i] for i in spread(len(figures), STRIP)],
            "filters": next(s.summary() for s in self._sections if isinstance(s, Filters)),
        }

    def close(self) -> None:
        """Let go of what is held for `finish`."""
        self.files.told.close()

    def record(self) -> dict[str, Any]:
        """Return what `gallery.build.build_cache` keeps of the model."""
        keys = {**self.files.keys, "examples": self._natural.keys}
        return {"identity": identity(self.model), **keys}

    def warnings(self) -> list[str]:
        """Return a line for each unit, natural image, or damaged part that cannot be shown."""
        damaged = [f"{render.address}: {reason}" for render, reason in self.files.damaged]
        beside = [*self._beside.warnings, *self._natural.warnings]
        return [*damaged, *beside, *self._refused, *losses(self._stores())]

    def _stores(self) -> list[Store]:
        return list(dict.fromkeys(s for group in self.model.groups for s in group.stores))

    def _finish(self, section: Section) -> bool:
        """Write the script of a section; tell whether there is anything in it."""
        if not section.count():
            return False
        try:
            text = script(f"sections/{section.name}", section.finish())
        except FeatvizError as error:
            self._refused.append(f"{section.name}: {error}")
            return False
        (self.folder / f"sections/{section.name}.js").write_text(text, encoding="ascii")
        return True

    def _tell(self, render: Render) -> tuple[str | None, Sequence[tuple[str, str]]]:
        """Return the command and the links of a row."""
        group = self.plan.groups[render.group]
        command = render_command(
            self.model.name,
            render.address,
            self.model.load,
            group.configuration,
            SETTLED.get(group.kind, []),
        )
        return command, self._links.of(render.address)

    def _failures(self) -> list[tuple[str, str, str]]:
        """Address, reason and label of what failed, or is damaged, as far as it is taken in."""
        failed = [entry for entry in self.model.failures() if self._wanted(entry[0])]
        label = self.model.label
        damaged = [(r, f"its picture cannot be shown: {why}") for r, why in self.files.damaged]
        return [
            *failed,
            *((r.address, why, label(self.plan.groups[r.group])) for r, why in damaged),
        ]

    def _labels(self) -> list[tuple[str, str, bool]]:
        notes = self.options.notes.known(self.model.name, self.model.fingerprint)
        known = (unit for unit in self.plan.addresses() if unit in notes)
        return [(unit, notes[unit].label, notes[unit].favourite) for unit in known]

    def _groups(self) -> list[dict[str, Any]]:
        """Label, settings and number of sides of each group of units."""
        groups = self.plan.groups
        mixed = len({group.kind for group in groups}) > 1
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
            for group in groups
        ]


def identity(model: Model) -> str:
    """Return a digest of a model's name and weights."""
    return hashlib.sha256(f"{model.name}\0{model.fingerprint}".encode()).hexdigest()


def _manner(group: Group) -> str:
    return "query and key images" if group.kind == "sides" else "one image"
