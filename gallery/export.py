"""Stores -> a folder that opens in a browser."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from string import Template

from featviz.errors import FeatvizError
from featviz.store import Row, Store
from gallery.folder import new_edition
from gallery.merge import Group, Model, merge
from gallery.model import ModelFiles
from gallery.scripts import script

_HERE = Path(__file__).parent
Progress = Callable[..., Iterable[tuple[ModelFiles, Group, Row]]]


def export(
    stores: Sequence[Store | str | Path], folder: str | Path, progress: Progress | None = None
) -> Path:
    """Write what stores hold as a static site.

    Stores of one model (same name, same weights) share a page; where they hold the same unit in
    different configurations, the unit shows both. Stores are read one row at a time. Exporting
    into the folder again replaces the gallery in it; whenever that is interrupted, there is the
    old gallery, or an obviously incomplete one.

    Parameters
    ----------
    stores : sequence of Store or path
    folder : str or Path
        New, empty, or a gallery.
    progress : callable, optional
        Wraps the loop over rows as ``tqdm`` does: ``progress(rows, total=COUNT)``.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    FeatvizError
        If there is nothing to show, a store cannot be read, or the folder is neither empty nor a
        gallery, or not writable.
    """
    opened = [store if isinstance(store, Store) else Store(store) for store in stores]
    if not opened:
        raise FeatvizError("no store is named; a gallery shows one or more")
    folder = Path(folder)
    with new_edition(folder) as edition:
        shutil.copytree(_HERE / "static", edition.data / "static")
        models = merge(opened)
        written = [
            ModelFiles(model, edition.data / str(number)) for number, model in enumerate(models, 1)
        ]
        rows: Iterable[tuple[ModelFiles, Group, Row]] = _rows(written)
        if progress is not None:
            rows = progress(rows, total=_count(models))
        for model_files, group, row in rows:
            model_files.add(group, row)
        others = {
            files.model.fingerprint: (page_name(files.model), files.units) for files in written
        }
        cards = []
        for model_files in written:
            data = f"{edition.data.name}/{model_files.folder.name}"
            page = page_name(model_files.model)
            edition.pages[page] = _page("model.html", edition.data.name, data)
            card = model_files.finish(others)
            cards.append({**card, "page": page, "folder": data})
        index = script("models", cards)
        (edition.data / "models.js").write_text(index, encoding="ascii")
        edition.pages["index.html"] = _page("index.html", edition.data.name, edition.data.name)
    return folder / "index.html"


def _rows(written: Iterable[ModelFiles]) -> Iterator[tuple[ModelFiles, Group, Row]]:
    for model_files in written:
        for group in model_files.model.groups:
            for row in group.rows():
                yield model_files, group, row


def _count(models: Iterable[Model]) -> int:
    return sum(len(group.addresses()) for model in models for group in model.groups)


def _page(template: str, edition: str, data: str) -> str:
    """Fill a template: only with folders' names, which are ours; data stays in its scripts."""
    blank = Template((_HERE / "templates" / template).read_text(encoding="utf-8"))
    return blank.substitute(static=f"{edition}/static", data=data)


def page_name(model: Model) -> str:
    """File name of a model's page: of its name only ``a-z``, ``0-9`` and hyphens are kept.

    The digits after it come from name and weights: models whose names look alike, and two
    trainings of one architecture, have pages of their own, and keep them from export to export.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model.name.lower())[-40:].strip("-")
    digest = hashlib.sha256(f"{model.name}\0{model.fingerprint}".encode()).hexdigest()
    return f"{plain or 'model'}-{digest[:8]}.html"
