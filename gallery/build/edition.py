"""Atomic replacement of a gallery in its folder."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from featviz._util.files import make_folder
from featviz.errors import FeatvizError

MARKER = "gallery.json"
_TEMPORARY = f"{MARKER}.tmp"
_FORMAT = "featviz-gallery"
_PAGE = re.compile(r"[a-z0-9-]+\.html", re.ASCII)
_DATA = re.compile(r"data-([0-9]+)", re.ASCII)


@dataclass
class Edition:
    """Output of one export.

    Attributes
    ----------
    data : Path
        New folder of all files that the pages refer to.
    pages : dict of str to str
        Text of each page, by file name; pages are written last.
    """

    data: Path
    pages: dict[str, str] = field(default_factory=dict)


@contextmanager
def new_edition(folder: Path) -> Iterator[Edition]:
    """Create a new edition of a gallery, and publish it when the block ends.

    Each edition has its own data folder (``data-1``, ``data-2``, ...). When the data is complete,
    the pages are replaced by renaming, ``index.html`` last, and older data is removed. So if an
    export is interrupted, the old gallery stays valid.

    Parameters
    ----------
    folder : Path
        New, empty, or a gallery.

    Yields
    ------
    Edition

    Raises
    ------
    FeatvizError
        If the folder is not empty and not a gallery, in which case nothing in it is changed, or
        not writable.
    """
    with _as_featviz_error(folder):
        number, old_pages = _claim(folder)
        edition = Edition(folder / f"data-{number}")
        edition.data.mkdir()
    try:
        with _as_featviz_error(folder):
            yield edition
    except BaseException:
        shutil.rmtree(edition.data, ignore_errors=True)
        raise
    with _as_featviz_error(folder):
        _publish(folder, number, edition, old_pages)


def is_tidy(folder: Path, data: Path, pages: Collection[str]) -> bool:
    """Return whether a folder has only the given edition, without files of interrupted exports.

    Parameters
    ----------
    folder : Path
        Folder of the gallery.
    data : Path
        Data folder of the edition.
    pages : collection of str
        File names of its pages.
    """
    try:
        _, recorded = _read_marker(folder / MARKER)
        others = [
            path
            for path in folder.iterdir()
            if _DATA.fullmatch(path.name) and path.name != data.name and not path.is_symlink()
        ]
    except (OSError, FeatvizError):
        return False
    return not others and set(recorded) == set(pages)


def _claim(folder: Path) -> tuple[int, list[str]]:
    """Mark the folder as a gallery; return the number of the new edition and the old pages."""
    make_folder(folder)
    if (folder / MARKER).exists():
        number, pages = _read_marker(folder / MARKER)
    elif {path.name for path in folder.iterdir()} <= {_TEMPORARY}:
        number, pages = 0, []
    else:
        raise FeatvizError(f"{folder} is not empty and not a gallery; choose a new folder")
    _write_marker(folder, number + 1, pages)
    return number + 1, pages


def _publish(folder: Path, number: int, edition: Edition, old_pages: Collection[str]) -> None:
    _write_marker(folder, number, {*old_pages, *edition.pages})
    for name in sorted(edition.pages, key=lambda name: name == "index.html"):
        temporary = edition.data / name
        temporary.write_text(edition.pages[name], encoding="utf-8")
        temporary.replace(folder / name)
    for name in set(old_pages) - set(edition.pages):
        (folder / name).unlink(missing_ok=True)
    for path in folder.iterdir():
        old = _DATA.fullmatch(path.name)
        if old and int(old[1]) < number and not path.is_symlink():
            shutil.rmtree(path)
    _write_marker(folder, number, edition.pages)


def _read_marker(path: Path) -> tuple[int, list[str]]:
    """Read number and pages. Page names are checked, because old pages are deleted by name."""
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
        valid = (
            marker["format"] == _FORMAT
            and isinstance(marker["edition"], int)
            and all(_PAGE.fullmatch(name) for name in marker["pages"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        valid = False
    if not valid:
        raise FeatvizError(f"{path} is not the marker file of a gallery; choose a new folder")
    return marker["edition"], marker["pages"]


def _write_marker(folder: Path, number: int, pages: Collection[str]) -> None:
    marker = {"format": _FORMAT, "edition": number, "pages": sorted(pages)}
    temporary = folder / _TEMPORARY
    temporary.write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / MARKER)


@contextmanager
def _as_featviz_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where, why = error.filename or folder, error.strerror or error
        raise FeatvizError(f"cannot write the gallery: {where}: {why}") from error
