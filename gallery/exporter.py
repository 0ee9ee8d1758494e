"""Export of stores as a static website."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from string import Template

from featviz._util.arguments import described, file_path, sequence
from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.build_cache import BuildCache
from gallery.build.edition import Edition, is_tidy, new_edition
from gallery.build.images import image_format
from gallery.build.js_data import script
from gallery.build.manifest import (
    BuildManifest,
    code_digest,
    library_digest,
    measure,
    static_digest,
)
from gallery.build.options import Options
from gallery.build.plan import make_plan
from gallery.build.size_estimate import Estimate, estimate
from gallery.input_images.files import check_images, input_images
from gallery.model_page import ModelPageWriter, identity
from gallery.stores.merge import Model, merge
from gallery.stores.tolerant_store import TolerantStore
from gallery.units.label_file import Labels, read_labels

_HERE = Path(__file__).parent
Progress = Callable[..., Iterable[None]]


@dataclass(frozen=True)
class Exported:
    """Result of an export.

    Attributes
    ----------
    page : Path
        The page to open.
    units, pictures : int
        Number of units, and of picture files.
    bytes : int
        Total size of the files.
    reused : int
        Number of picture rows that were reused from the previous edition.
    warnings : tuple of str
        One line for each unit or natural image that cannot be shown, with the reason. Damaged rows
        of other kinds with the same reason share a line.
    remarks : tuple of str
        About labels and listed units that are not in the gallery, at most one line each.
    unread : tuple of str
        One line for each model with units that could not be read on the images.
    """

    page: Path
    units: int
    pictures: int
    bytes: int
    reused: int
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def export(
    stores: Store | str | Path | Iterable[Store | str | Path],
    folder: str | Path,
    progress: Progress | bool | None = None,
    *,
    include: str | Iterable[str] = (),
    thumbnails_only: bool = False,
    pictures: str = "webp",
    labels: str | Path | None = None,
    images: str | Path | Iterable[str | Path] = (),
    announce: Callable[[Estimate], None] | None = None,
) -> Exported:
    """Export stores as a static website.

    Stores of one model (same name, same weights) share a page; a unit with pictures in several
    configurations shows all of them. Rows are read one at a time. Exporting to the same folder
    again replaces the gallery, and reuses files that have not changed. If that is interrupted, the
    old gallery stays valid.

    Parameters
    ----------
    stores : Store, path, or iterable of these
    folder : str or Path
        New, empty, or a gallery.
    progress : callable or bool, optional
        True shows a progress bar. A function wraps the loop over rows, like ``tqdm``:
        ``progress(rows, total=COUNT)``.
    include : str or iterable of str
        Selectors of the units to show, as in `featviz.units`; all units if empty.
    thumbnails_only : bool
        Leave out the full-size pictures.
    pictures : str
        Format of the full-size pictures: ``"webp"`` or ``"avif"``.
    labels : str or Path, optional
        Label file that a page exported, which the gallery then shows.
    images : path, or iterable of paths
        Image files. Each model is loaded as the stores record it, and its page shows which units
        respond to the images, and where.
    announce : callable, optional
        Called with the estimated size before files are written; not called if nothing has changed.

    Returns
    -------
    Exported

    Raises
    ------
    FeatvizError
        If there is nothing to show, a store, a label file or an image cannot be read, or the folder
        is not writable or neither empty nor a gallery.
    """
    given = [stores] if isinstance(stores, str | Path | Store) else stores
    several = sequence("stores", given, "paths of stores")
    if not several:
        raise FeatvizError("expected at least one store")
    paths = [store.path if isinstance(store, Store) else store for store in several]
    wrap = _as_wrapper(progress)
    chosen = [include] if isinstance(include, str) else sequence("include", include, "selectors")
    opened = [TolerantStore(path) for path in paths]
    known_labels = Labels() if labels is None else read_labels(labels)
    options = Options(
        tuple(chosen), thumbnails_only, image_format(pictures), known_labels, input_images(images)
    )
    folder = file_path("the folder of a gallery", folder)

    models = merge(opened)
    inputs = _digest_inputs(opened, options)
    previous = BuildCache.latest(folder)
    unchanged = _unchanged(folder, inputs, previous, models)
    if unchanged is not None:
        return unchanged

    check_images(options.images)
    plans = [make_plan(model, options.is_included) for model in models]
    if options.include and not any(plan.units for plan in plans):
        raise FeatvizError(f"no unit in these stores matches {' or '.join(options.include)}")
    with new_edition(folder) as edition, ExitStack() as stack:
        if announce is not None:
            announce(estimate(plans, options))
        shutil.copytree(_HERE / "static", edition.data / "static")
        writers = []
        for number, (model, plan) in enumerate(zip(models, plans, strict=True), 1):
            reusable = previous.model(identity(model))
            writer = ModelPageWriter(model, plan, edition.data / str(number), options, reusable)
            writers.append(stack.enter_context(closing(writer)))
        _process_rows(writers, wrap)
        _write_pages(edition, writers)
        exported = _summarize(folder, edition, writers, options.labels)
        _write_manifest(edition, inputs, exported, writers)
    return exported


def page_name(model: Model) -> str:
    """Return the file name of a model's page, which is the same in every export.

    The digits at its end are derived from name and weights, so that models with similar names, and
    several trainings of an architecture, have different pages.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
        Only ``a-z``, ``0-9``, hyphens and the suffix.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model.name.lower())[-40:].strip("-")
    return f"{plain or 'model'}-{identity(model)[:8]}.html"


def _digest_inputs(stores: Sequence[Store], options: Options) -> str:
    """Return a digest of everything that the output depends on."""
    parts = {
        "code": [code_digest(), library_digest(), static_digest()],
        "stores": [store.state for store in stores],
        "include": options.include,
        "thumbnails_only": options.thumbnails_only,
        "pictures": options.image_format.name,
        "labels": options.labels.to_json(),
        "images": [(image.name, image.digest) for image in options.images],
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _unchanged(
    folder: Path, inputs: str, previous: BuildCache, models: Sequence[Model]
) -> Exported | None:
    """Return the result of the previous export, if it had the same inputs and is complete."""
    manifest, data = previous.manifest, previous.data
    if manifest is None or data is None or manifest.key != inputs or not previous.is_complete():
        return None
    pages = _pages(data.name, models)
    if not is_tidy(folder, data, pages):
        return None
    for name, text in pages.items():
        try:
            if (folder / name).read_bytes() != text.encode():
                return None
        except OSError:
            return None
    return Exported(
        folder / "index.html",
        manifest.units,
        manifest.pictures,
        manifest.bytes,
        reused=manifest.rows,
        remarks=tuple(manifest.remarks),
    )


def _as_wrapper(progress: Progress | bool | None) -> Progress | None:
    if progress is True:
        from tqdm.auto import tqdm  # noqa: PLC0415  it looks for a notebook

        return tqdm
    if progress is None or progress is False:
        return None
    if not callable(progress):
        raise FeatvizError(
            f"progress must be True, False or a function like tqdm, got {described(progress)}"
        )
    return progress


def _process_rows(writers: Sequence[ModelPageWriter], progress: Progress | None) -> None:
    """Read every row of the stores, and write its files."""
    with ThreadPoolExecutor(_cpu_count()) as pool:
        steps: Iterable[None] = _steps(writers, pool)
        if progress is not None:
            steps = progress(steps, total=sum(writer.row_count for writer in writers))
        for _ in steps:
            pass


def _steps(writers: Iterable[ModelPageWriter], pool: Executor) -> Iterator[None]:
    for writer in writers:
        yield from writer.steps(pool)


def _cpu_count() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write_pages(edition: Edition, writers: Sequence[ModelPageWriter]) -> None:
    """Write the data files that depend on all rows of all models, and the pages."""
    links = {
        writer.model.fingerprint: (page_name(writer.model), writer.units) for writer in writers
    }
    cards = [
        {
            **writer.finish(links),
            "page": page_name(writer.model),
            "folder": f"{edition.data.name}/{writer.folder.name}",
        }
        for writer in writers
    ]
    (edition.data / "models.js").write_text(script("models", cards), encoding="ascii")
    edition.pages.update(_pages(edition.data.name, [writer.model for writer in writers]))


def _pages(edition: str, models: Iterable[Model]) -> dict[str, str]:
    """Return the text of each page, by file name."""
    pages = {
        page_name(model): _page("model.html", edition, f"{edition}/{number}")
        for number, model in enumerate(models, 1)
    }
    return {**pages, "index.html": _page("index.html", edition, edition)}


def _page(template: str, edition: str, data: str) -> str:
    """Fill a template with names of folders; pages contain no text of stores."""
    text = (_HERE / "templates" / template).read_text(encoding="utf-8")
    return Template(text).substitute(static=f"{edition}/static", data=data)


def _summarize(
    folder: Path, edition: Edition, writers: Sequence[ModelPageWriter], labels: Labels
) -> Exported:
    _, size = measure(edition.data)
    models = [(writer.model.name, writer.model.fingerprint, writer.units) for writer in writers]
    return Exported(
        folder / "index.html",
        sum(writer.plan.units for writer in writers),
        sum(writer.pictures for writer in writers),
        size,
        sum(writer.reused for writer in writers),
        tuple(warning for writer in writers for warning in writer.warnings()),
        labels.remarks(models),
        tuple(f"{writer.model.name}: {writer.unread}" for writer in writers if writer.unread),
    )


def _write_manifest(
    edition: Edition, inputs: str, exported: Exported, writers: Sequence[ModelPageWriter]
) -> None:
    files, size = measure(edition.data)
    manifest = BuildManifest(
        key="" if exported.warnings or exported.unread else inputs,
        files=files,
        bytes=size,
        units=exported.units,
        pictures=exported.pictures,
        rows=sum(writer.picture_rows for writer in writers),
        models=[writer.cache_keys() for writer in writers],
        remarks=exported.remarks,
    )
    manifest.write(edition.data)
