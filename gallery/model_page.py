"""The files of one model's page."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.build_cache import ModelBuildCache
from gallery.build.images import Figures
from gallery.build.js_data import script
from gallery.build.options import Options
from gallery.build.plan import NATURAL, Plan, Render
from gallery.build.sheets import COLUMNS, ROWS
from gallery.input_images.page import NAME as IMAGES
from gallery.input_images.page import InputImages
from gallery.sections.base import ModelLink, Section, SectionContext
from gallery.sections.filters import Filters
from gallery.sections.registry import SECTIONS
from gallery.sections.report import NAME as REPORT
from gallery.sections.report import make_report
from gallery.stores.merge import Group, Model
from gallery.stores.tolerant_store import damage
from gallery.units.links import ResultLinks
from gallery.units.natural_images import NaturalImages
from gallery.units.reproduce import render_command
from gallery.units.unit_files import STRIP, UnitFiles, spread
from gallery.units.unit_index import CommandAndLinks
from gallery.units.unit_map.writer import UnitMapWriter
from gallery.units.unit_metrics import UnitMetrics

FLAGS = {"sides": ["--split-qk"]}
"""Options of `featviz render` that render a kind, besides its configuration."""


KIND_TEXTS = {"renders": "one image", "sides": "query and key images", NATURAL: "natural image"}


class ModelPageWriter:
    """Writes the files of one model's page, one row at a time.

    File names are numbers assigned here; no text of a store becomes part of a path.

        model.js                      layers, groups, settings, failures
        units.js                      the units in columns
        sheets/LAYER-PART.webp        thumbnails of the units: the best sample of each
        pictures/ROW-SAMPLE.webp      all samples
        pictures/ROW-SAMPLE-SIDE.webp of pairs: 0 is the query, 1 the key
        details/SHARD.js              data of 32 picture rows for the unit pages
        strip/NUMBER.webp             12 thumbnails for the index page
        examples/INDEX.webp           natural images, by index in the dataset
        input-images/NUMBER.webp      the reader's own images, as the model sees them
        images/NUMBER.js              strongest units on an own image
        responses/SHARD.js            values of 32 units on all own images
        map/0.js                      places of the units on the map
        figures/NUMBER.webp           images of all sections
        sections/NAME.js              data of a section
        tokens/SHARD.js               data of 32 position maps
        effects/SHARD.js              data of 32 averages of effects
        rows.npy                      data for the build cache

    Parameters
    ----------
    model : Model
    plan : Plan
        Of the model's units.
    folder : Path
        Created here.
    options : Options
    previous : ModelBuildCache
        Files of the previous edition, which are reused.
    """

    def __init__(
        self, model: Model, plan: Plan, folder: Path, options: Options, previous: ModelBuildCache
    ) -> None:
        self.model, self.plan, self.folder, self.options = model, plan, folder, options
        (folder / "sections").mkdir(parents=True)
        self._context = SectionContext(model, folder, Figures(folder / "figures"))
        self._sections = [section(self._context) for section in SECTIONS]
        self._section_of = {kind: section for section in self._sections for kind in section.kinds}
        self._links = ResultLinks(model)
        self._refused: list[str] = []
        stores = list(dict.fromkeys(s for group in plan.groups for s in group.stores))
        self._natural_images = NaturalImages(stores, folder, previous)
        self._metrics = UnitMetrics(stores, self._natural_images.shows)
        self._map = UnitMapWriter(folder, previous)
        self._files = UnitFiles(plan, folder, options, self._describe, previous, self._metrics)
        self._input_images = InputImages(plan, folder, options.images, self._natural_images)

    @property
    def units(self) -> Container[str]:
        """Addresses of the units on the page."""
        return set(self.plan.addresses())

    @property
    def pictures(self) -> int:
        """Number of picture files."""
        return self._files.pictures

    @property
    def picture_rows(self) -> int:
        """Number of picture rows."""
        return len(self._files.index.rows)

    @property
    def reused(self) -> int:
        """Number of picture rows that were reused."""
        return self._files.reused

    @property
    def row_count(self) -> int:
        """Number of rows that `steps` processes."""
        others = (group for group in self.model.groups if group.kind in self._section_of)
        renders = sum(1 for _ in self.plan.renders())
        rows = renders + sum(len(group.addresses()) for group in others)
        return rows + self._input_images.batches

    def steps(self, pool: Executor) -> Iterator[None]:
        """Process all rows of the stores; yield after each.

        Parameters
        ----------
        pool : Executor
            Threads that process picture rows.
        """
        yield from self._files.steps(pool)
        self._natural_images.write()
        for group in self.model.groups:
            if group.kind in self._section_of:
                for row in group.rows():
                    try:
                        self._section_of[group.kind].add(group, row)
                    except FeatvizError as error:
                        self._refused.append(f"{group.kind} of {row['address']}: {error}")
                    yield
        yield from self._input_images.steps(self._stores(), self._files.index.activations())

    def finish(self, others: Mapping[str, ModelLink]) -> dict[str, Any]:
        """Write the data files, after all rows of all models.

        Parameters
        ----------
        others : mapping
            See `SectionContext.others`.

        Returns
        -------
        dict
            The model's entry on the index page, without the path of its page.

        Raises
        ------
        FeatvizError
            If there is nothing to show.
        """
        self._context.others.update(others)
        failures = self._failures()
        sections = [section for section in self._sections if self._write_section(section)]
        if not self.plan.units and not failures and not sections:
            raise FeatvizError(self._why_empty())
        counts = [(section.name, section.count()) for section in sections]
        summaries = [summary for _, summary in sorted(self._metrics.summaries.items())]
        report = make_report(self.model.name, summaries)
        if report is not None:
            self._write_script(f"sections/{REPORT}", report)
            counts.insert(0, (REPORT, report["units"]))
        images = self._input_images.section
        if images is not None:
            self._write_script(f"sections/{IMAGES}", images)
            counts.insert(0, (IMAGES, len(images["images"])))
        untrained = "random " if self.model.load.get("untrained") else ""
        header = {
            "name": self.model.name,
            "weights": f"{untrained}weights {self.model.fingerprint[:8]}",
            "sections": counts,
        }
        addresses = self.plan.addresses()
        similar_units = self._natural_images.similar_units(addresses)
        correlated_units = self._natural_images.correlated_units(addresses)
        index = self._files.index
        page = {
            **header,
            **index.finish(similar_units, correlated_units),
            "map": self._map.write(
                index.descriptors,
                index.similar_by_picture,
                self._natural_images.profiles(addresses),
                correlated_units,
            ),
            "groups": self._groups(),
            "cell": self.plan.cell,
            "columns": COLUMNS,
            "rows": ROWS,
            "pictures": self.options.image_format.name,
            "thumbnailsOnly": self.options.thumbnails_only,
            **self._labels(),
            "failures": failures,
        }
        self._write_script("model", page)
        figures = [path for section in sections for path in section.thumbnails()]
        return {
            **header,
            "units": self.plan.units,
            "pictures": self.pictures,
            "sites": len(self.plan.layers),
            "failures": len(failures),
            "strip": self._files.strip()
            or [(figures[i], None, "") for i in spread(len(figures), STRIP)],
            "measured": {kind: len(units) for kind, units in self._metrics.measured.items()},
            "filters": next(s.summary() for s in self._sections if isinstance(s, Filters)),
        }

    def close(self) -> None:
        """Delete temporary files."""
        self._files.index.close()

    def cache_keys(self) -> dict[str, Any]:
        """Return the model's entry in the build manifest."""
        keys = {
            **self._files.keys,
            "examples": self._natural_images.keys,
            "map": self._map.keys,
        }
        return {"identity": identity(self.model), **keys}

    def warnings(self) -> list[str]:
        """Return a line for each unit, natural image or damaged part that is not shown."""
        damaged = [f"{render.address}: {reason}" for render, reason in self._files.damaged]
        evidence = [*self._metrics.warnings, *self._natural_images.warnings]
        return [*damaged, *evidence, *self._refused, *damage(self._stores())]

    @property
    def unread(self) -> str:
        """Why units could not be read on the images; empty if they could."""
        return self._input_images.unread

    def _stores(self) -> list[Store]:
        return list(dict.fromkeys(s for group in self.model.groups for s in group.stores))

    def _why_empty(self) -> str:
        """Return the reason why there is nothing to show."""
        stores = self._stores()
        reasons = [*damage(stores), *self._refused]
        paths = ", ".join(str(store.path) for store in stores) or self.model.name
        return reasons[0] if reasons else f"{paths}: nothing to show; run `featviz render` first"

    def _write_section(self, section: Section) -> bool:
        """Write the data of a section; return whether it has any."""
        if not section.count():
            return False
        try:
            self._write_script(f"sections/{section.name}", section.finish())
        except FeatvizError as error:
            self._refused.append(f"{section.name}: {error}")
            return False
        return True

    def _write_script(self, name: str, value: Any) -> None:
        (self.folder / f"{name}.js").write_text(script(name, value), encoding="ascii")

    def _describe(self, render: Render) -> CommandAndLinks:
        """Return the command and the links of a render."""
        group = self.plan.groups[render.group]
        command = None
        if not render.natural:
            command = render_command(
                self.model.name,
                render.address,
                self.model.load,
                group.configuration,
                FLAGS.get(group.kind, []),
            )
        return command, self._links.of(render.address)

    def _failures(self) -> list[tuple[str, str, str]]:
        """List failed and damaged units: address, reason and label of the group."""
        failed = [entry for entry in self.model.failures() if self.options.is_included(entry[0])]
        damaged = [
            (
                render.address,
                f"its picture cannot be shown: {reason}",
                self.model.label(self.plan.groups[render.group]),
            )
            for render, reason in self._files.damaged
        ]
        return [*failed, *damaged]

    def _labels(self) -> dict[str, Any]:
        """Describe labels and favorites of units on the page, and lists."""
        labels = self.options.labels.of_model(self.model.name, self.model.fingerprint)
        units = [
            (unit, labels.units[unit].text, labels.units[unit].favorite)
            for unit in self.plan.addresses()
            if unit in labels.units
        ]
        return {"labels": units, "lists": sorted(labels.lists.items())}

    def _groups(self) -> list[dict[str, Any]]:
        """Describe each group of units: label, settings, number of sides and size of pictures."""
        groups = self.plan.groups
        has_both = len({group.kind for group in groups}) > 1
        return [
            {
                "label": ", ".join(
                    text
                    for text in (_kind_text(group) if has_both else "", self.model.label(group))
                    if text
                ),
                "settings": list(group.settings.items()),
                "sides": 2 if group.kind == "sides" else 1,
                "natural": group.kind == NATURAL,
                "size": self._files.index.sizes.get(index),
            }
            for index, group in enumerate(groups)
        ]


def identity(model: Model) -> str:
    """Return a digest of a model's name and weights.

    Parameters
    ----------
    model : Model
    """
    # The path of a model may be of bytes that are not valid UTF-8.
    text = f"{model.name}\0{model.fingerprint}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _kind_text(group: Group) -> str:
    return KIND_TEXTS[group.kind]
