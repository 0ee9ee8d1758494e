"""The folder of a gallery: one edition after another, none of them half there."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from featviz.errors import FeatvizError

MARK = "gallery.json"
_DRAFT = f"{MARK}.tmp"
_FORMAT = "featviz-gallery"
_PAGE = re.compile(r"[a-z0-9-]+\.html", re.ASCII)
_DATA = re.compile(r"data-([0-9]+)", re.ASCII)


@dataclass
class Edition:
    """What one export writes.

    Attributes
    ----------
    data : Path
        A new folder for everything that the pages refer to.
    pages : dict of str to str
        File name and text of each page; they are written last.
    """

    data: Path
    pages: dict[str, str] = field(default_factory=dict)


@contextmanager
def new_edition(folder: Path) -> Iterator[Edition]:
    """Give a new edition of a gallery to fill, and publish it when the block ends.

    An edition has a data folder of its own (``data-1``, ``data-2``, ...). Pages take their place
    by renaming once the data is complete, ``index.html`` last; then older data is removed. So
    whenever an export is interrupted, no page refers to missing data: there is the old gallery,
    or none yet.

    Raises
    ------
    FeatvizError
        If the folder is not empty and no gallery (nothing in it is touched), or not writable.
    """
    with _in_one_line(folder):
        number, old_pages = _claim(folder)
        edition = Edition(folder / f"data-{number}")
        edition.data.mkdir()
    try:
        with _in_one_line(folder):
            yield edition
    except BaseException:
        shutil.rmtree(edition.data, ignore_errors=True)
        raise
    with _in_one_line(folder):
        _publish(folder, number, edition, old_pages)


def is_tidy(folder: Path, data: Path, pages: Collection[str]) -> bool:
    """Tell whether a gallery's folder holds one edition, and marks no page that is not of it.

    What an interrupted export left is cleared by the next one, which must not be left out then.

    Parameters
    ----------
    data : Path
        The folder of the edition.
    pages : collection of str
        File names of its pages.
    """
    try:
        _, marked = _read_mark(folder / MARK)
        others = [
            path
            for path in folder.iterdir()
            if _DATA.fullmatch(path.name) and path.name != data.name and not path.is_symlink()
        ]
    except (OSError, FeatvizError):
        return False
    return not others and set(marked) == set(pages)


def _claim(folder: Path) -> tuple[int, list[str]]:
    """Mark the folder as a gallery; return the new edition's number and the pages there are."""
    if folder.exists() and not folder.is_dir():
        raise FeatvizError(f"{folder} is a file; a gallery needs a folder of its own")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MARK).exists():
        number, pages = _read_mark(folder / MARK)
    elif {path.name for path in folder.iterdir()} <= {_DRAFT}:
        number, pages = 0, []
    else:
        raise FeatvizError(f"{folder} is not empty and holds no gallery; name a new folder")
    _write_mark(folder, number + 1, pages)
    return number + 1, pages


def _publish(folder: Path, number: int, edition: Edition, old_pages: Collection[str]) -> None:
    _write_mark(folder, number, {*old_pages, *edition.pages})
    for name in sorted(edition.pages, key=lambda name: name == "index.html"):
        draft = edition.data / name
        draft.write_text(edition.pages[name], encoding="utf-8")
        draft.replace(folder / name)
    for name in set(old_pages) - set(edition.pages):
        (folder / name).unlink(missing_ok=True)
    for path in folder.iterdir():
        old = _DATA.fullmatch(path.name)
        if old and int(old[1]) < number and not path.is_symlink():
            shutil.rmtree(path)
    _write_mark(folder, number, edition.pages)


def _read_mark(path: Path) -> tuple[int, list[str]]:
    """Read number and pages; page names are checked, for the next edition deletes by them."""
    try:
        mark = json.loads(path.read_text(encoding="utf-8"))
        sound = (
            mark["format"] == _FORMAT
            and isinstance(mark["edition"], int)
            and all(_PAGE.fullmatch(name) for name in mark["pages"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise FeatvizError(f"{path} is not the mark of a gallery; name a new folder")
    return mark["edition"], mark["pages"]


def _write_mark(folder: Path, number: int, pages: Collection[str]) -> None:
    mark = {"format": _FORMAT, "edition": number, "pages": sorted(pages)}
    draft = folder / _DRAFT
    draft.write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / MARK)


@contextmanager
def _in_one_line(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where, why = error.filename or folder, error.strerror or error
        raise FeatvizError(f"cannot write the gallery: {where}: {why}") from error
