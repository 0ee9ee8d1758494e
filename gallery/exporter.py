"""Stores -> a folder that opens in a browser."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.build_cache import BuildCache
from gallery.build.edition import Edition, is_tidy, new_edition
from gallery.build.images import form
from gallery.build.js_data import script
from gallery.build.manifest import BuildManifest, measure, recipe, site_files, wording
from gallery.build.options import Options
from gallery.build.plan import plan
from gallery.build.size_estimate import Estimate, estimate
from gallery.model_page import ModelFiles, identity
from gallery.notes import Notes, read_notes
from gallery.stores.address_filter import included
from gallery.stores.merge import Model, merge
from gallery.stores.tolerant_store import TolerantStore

_HERE = Path(__file__).parent
Progress = Callable[..., Iterable[None]]


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes
    ----------
    page : Path
        The page to open.
    units, pictures : int
    bytes : int
        What the folder holds.
    reused : int
        Picture rows that were taken over from the edition before.
    warnings : tuple of str
        One line for each unit or natural image that cannot be shown: its address, and why. Rows of
        other kinds that are damaged alike share a line.
    remarks : tuple of str
        At most one line, of labels that name no unit of the gallery.
    """

    page: Path
    units: int
    pictures: int
    bytes: int
    reused: int
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def export(
    stores: Sequence[Store | str | Path],
    folder: str | Path,
    progress: Progress | None = None,
    *,
    include: Sequence[str] = (),
    thumbnails_only: bool = False,
    pictures: str = "webp",
    labels: str | Path | None = None,
    announce: Callable[[Estimate], None] | None = None,
) -> Exported:
    """Write what stores hold as a static site.

    Stores of one model (same name, same weights) share a page; where they hold the same unit in
    different configurations, the unit shows both. Stores are read one row at a time. Exporting
    into the folder again replaces the gallery in it, and takes over from it what is still the same;
    whenever that is interrupted, there is the old gallery, or an obviously incomplete one.

    Parameters
    ----------
    stores : sequence of Store or path
    folder : str or Path
        New, empty, or a gallery.
    progress : callable, optional
        Wraps the loop over rows as ``tqdm`` does: ``progress(rows, total=COUNT)``.
    include : sequence of str
        Selectors of the units to take in, as in `featviz.units`; all if there are none.
    thumbnails_only : bool
        Leave the large pictures out.
    pictures : str
        ``"webp"`` or ``"avif"``.
    labels : str or Path, optional
        A file of labels that a page exported, which the gallery then shows.
    announce : callable, optional
        Is told the estimated size before the first picture is written, unless nothing is to be
        done.

    Raises
    ------
    FeatvizError
        If there is nothing to show, a store cannot be read, or the folder is neither empty nor a
        gallery, or not writable.
    """
    opened = [TolerantStore(store.path if isinstance(store, Store) else store) for store in stores]
    if not opened:
        raise FeatvizError("no store is named; a gallery shows one or more")
    folder = Path(folder)
    notes = Notes() if labels is None else read_notes(labels)
    options = Options(tuple(include), thumbnails_only, form(pictures), notes)
    wanted = included(options.include)
    key, previous = _key(opened, options), BuildCache.of(folder)
    models = merge(opened)
    if (same := _unchanged(folder, key, previous, models)) is not None:
        return same
    plans = [plan(model, wanted) for model in models]
    if options.include and not any(each.units for each in plans):
        raise FeatvizError(f"these stores hold no unit {' or '.join(options.include)}")
    with new_edition(folder) as edition, ExitStack() as stack:
        if announce is not None:
            announce(estimate(plans, options))
        shutil.copytree(_HERE / "static", edition.data / "static")
        written = []
        for number, (model, its_plan) in enumerate(zip(models, plans, strict=True), 1):
            old = previous.model(identity(model))
            files = ModelFiles(model, its_plan, edition.data / str(number), options, old)
            written.append(stack.enter_context(closing(files)))
        with ThreadPoolExecutor(_threads()) as pool:
            steps: Iterable[None] = _steps(written, pool)
            if progress is not None:
                steps = progress(steps, total=sum(files.rows for files in written))
            for _ in steps:
                pass
        _write_rest(edition, written)
        made = _summary(folder, edition, written, notes)
        record = BuildManifest(
            "" if made.warnings else key,
            *measure(edition.data),
            made.units,
            made.pictures,
            sum(len(files.files.told.rows) for files in written),
            [files.record() for files in written],
            made.remarks,
        )
        record.write(edition.data)
    return made


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _steps(written: Iterable[ModelFiles], pool: Executor) -> Iterator[None]:
    for model_files in written:
        yield from model_files.steps(pool)


def _write_rest(edition: Edition, written: Sequence[ModelFiles]) -> None:
    """Write what needs all models at once, and the pages."""
    others = {files.model.fingerprint: (page_name(files.model), files.units) for files in written}
    cards: list[Mapping[str, Any]] = []
    for files in written:
        data = f"{edition.data.name}/{files.folder.name}"
        card = files.finish(others)
        cards.append({**card, "page": page_name(files.model), "folder": data})
    (edition.data / "models.js").write_text(script("models", cards), encoding="ascii")
    edition.pages.update(_pages(edition.data.name, [files.model for files in written]))


def _pages(edition: str, models: Iterable[Model]) -> dict[str, str]:
    pages = {
        page_name(model): _page("model.html", edition, f"{edition}/{number}")
        for number, model in enumerate(models, 1)
    }
    return {**pages, "index.html": _page("index.html", edition, edition)}


def _page(template: str, edition: str, data: str) -> str:
    """Fill a template: only with folders' names, which are ours; data stays in its scripts."""
    blank = Template((_HERE / "templates" / template).read_text(encoding="utf-8"))
    return blank.substitute(static=f"{edition}/static", data=data)


def _summary(
    folder: Path, edition: Edition, written: Sequence[ModelFiles], notes: Notes
) -> Exported:
    _, size = measure(edition.data)
    models = [(each.model.name, each.model.fingerprint, each.units) for each in written]
    return Exported(
        folder / "index.html",
        sum(files.plan.units for files in written),
        sum(files.files.pictures for files in written),
        size,
        sum(files.files.reused for files in written),
        tuple(warning for files in written for warning in files.warnings()),
        notes.remarks(models),
    )


def _key(stores: Sequence[Store], options: Options) -> str:
    """Return a text that is another one when the export would write anything else."""
    parts = {
        "code": [recipe(), wording(), site_files()],
        "stores": [store.state for store in stores],
        "include": options.include,
        "thumbnails_only": options.thumbnails_only,
        "pictures": options.form.name,
        "labels": options.notes.to_json(),
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _unchanged(
    folder: Path, key: str, previous: BuildCache, models: Sequence[Model]
) -> Exported | None:
    """Return what is there if it is what an export would write, published and whole."""
    record, data = previous.record, previous.data
    if record is None or data is None or record.key != key or not previous.is_whole():
        return None
    pages = _pages(data.name, models)
    if not is_tidy(folder, data, pages):
        return None
    for name, text in pages.items():
        page = folder / name
        try:
            if page.read_bytes() != text.encode():
                return None
        except OSError:
            return None
    return Exported(
        folder / "index.html",
        record.units,
        record.pictures,
        record.bytes,
        reused=record.rows,
        remarks=tuple(record.remarks),
    )


def page_name(model: Model) -> str:
    """File name of a model's page: of its name only ``a-z``, ``0-9`` and hyphens are kept.

    The digits after it come from name and weights: models whose names look alike, and two
    trainings of one architecture, have pages of their own, and keep them from export to export.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model.name.lower())[-40:].strip("-")
    digest = hashlib.sha256(f"{model.name}\0{model.fingerprint}".encode()).hexdigest()
    return f"{plain or 'model'}-{digest[:8]}.html"
