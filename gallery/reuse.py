"""What an export takes over from the edition before: files of rows that are still the same.

Every data folder holds ``reuse.json``, written last, and in each model's folder ``rows.npy``: of
each picture row the key, which changes with the row in its store, and what the page needs of it.
Files are taken over as hard links, so they cost neither time nor space, and an edition that is
removed takes none of them along.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

import featviz
from gallery.look import LENGTH
from gallery.making import Made, picture_names
from gallery.pictures import Form
from gallery.plan import Render
from gallery.scripts import Shards

RECORD = "reuse.json"
ROWS = "rows.npy"
PARTS = ("sheets", "strip", "examples")  # folders of files that are known by keys of their own
ROW = np.dtype([("key", "S32"), ("best", "<i4"), ("value", "<f4"), ("look", "u1", (LENGTH,))])
_HERE = Path(__file__).parent
_FILE = re.compile(r"[0-9]+(-[0-9]+)*\.(webp|avif)", re.ASCII)
_SHARDS_KEPT = 4  # of details, while rows are taken over in order


@cache
def recipe() -> str:
    """Return a digest of all that decides the bytes of pictures: this package and the encoders."""
    encoders = [PIL.__version__, *(str(features.version(name)) for name in ("webp", "avif"))]
    return digest_of([_HERE], "*.py", [np.__version__, *encoders])


@cache
def wording() -> str:
    """Return a digest of what decides the numbers and sentences beside pictures: the engine."""
    return digest_of([Path(featviz.__file__).parent], "*.py")


@cache
def site_files() -> str:
    """Return a digest of the files that are copied into a gallery: scripts, styles, templates."""
    return digest_of([_HERE / "static", _HERE / "templates"], "*")


def digest_of(folders: Sequence[Path], pattern: str, texts: Sequence[str] = ()) -> str:
    """Return a digest of some texts, and of names and contents of all files of a pattern."""
    digest = hashlib.sha256("\0".join(texts).encode())
    for folder in folders:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"\0{path.relative_to(folder)}\0{content}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Record:
    """What ``reuse.json`` says of an edition.

    Attributes
    ----------
    key : str
        Another one when an export would write anything else.
    files, bytes : int
        What the data folder holds, ``reuse.json`` left out.
    units, pictures, rows : int
    models : sequence of dict
        Of each model: ``identity``, and the key of each file of each of `PARTS`.
    remarks : sequence of str
        What the export remarked.
    """

    key: str
    files: int
    bytes: int
    units: int
    pictures: int
    rows: int
    models: Sequence[Mapping[str, Any]]
    remarks: Sequence[str]

    def write(self, data: Path) -> None:
        """Write it into a data folder."""
        text = json.dumps({"recipe": recipe(), **vars(self)})
        (data / RECORD).write_text(text + "\n", encoding="ascii")


class Previous:
    """An edition that is there, or none.

    Parameters
    ----------
    data : Path or None
        Its data folder.
    """

    def __init__(self, data: Path | None) -> None:
        self.data = data
        self.record = _read(data) if data is not None else None

    @classmethod
    def of(cls, folder: Path) -> Previous:
        """Take the newest whole edition in a gallery's folder."""
        try:
            there = list(folder.iterdir()) if folder.is_dir() else []
        except OSError:  # who exports is told when the folder is written to
            there = []
        numbered = [
            (int(match[1]), path)
            for path in there
            if (match := re.fullmatch(r"data-([0-9]{1,9})", path.name, re.ASCII))
        ]
        for _, path in sorted(numbered, reverse=True):
            previous = cls(path)
            if previous.record is not None:
                return previous
        return cls(None)

    def is_whole(self) -> bool:
        """Tell whether its data folder holds as many files and bytes as were written."""
        if self.data is None or self.record is None:
            return False
        try:
            return measure(self.data) == (self.record.files, self.record.bytes)
        except OSError:
            return False

    def model(self, identity: str) -> PreviousModel:
        """Return what there is of a model; an empty one if there is nothing."""
        if self.data is None or self.record is None:
            return PreviousModel(None, {})
        for number, model in enumerate(self.record.models, 1):
            if model.get("identity") == identity:
                return PreviousModel(self.data / str(number), model)
        return PreviousModel(None, {})


class PreviousModel:
    """The files of a model in an edition that is there."""

    def __init__(self, folder: Path | None, record: Mapping[str, Any]) -> None:
        parts = ("", "pictures", "details", *PARTS)
        if folder is not None and any((folder / part).is_symlink() for part in parts):
            folder = None
        self._folder = folder or Path()
        self._rows = _read_rows(folder / ROWS) if folder is not None else np.zeros(0, ROW)
        self._numbers = {key: i for i, key in enumerate(self._rows["key"].tolist()) if key}
        self._files = {
            (part, key): name
            for part in PARTS
            for name, key in _texts(record.get(part)).items()
            if _FILE.fullmatch(name)
        }
        self._shards: OrderedDict[int, list[Any]] = OrderedDict()

    def take_file(self, part: str, key: str, target: Path) -> bool:
        """Take over a file of one of `PARTS` by its key; tell whether it was there."""
        name = self._files.get((part, key))
        if name is None or not _is_file(self._folder / part / name):
            return False
        _link(self._folder / part / name, target)
        return True

    def take_row(self, render: Render, pictures: Path | None, form: Form) -> Made | None:
        """Take over a row: its pictures, if a folder for them is named, and what is told of it.

        Returns
        -------
        Made or None
            Without a cell. None if the row, or one of its files, is not there.
        """
        number = self._numbers.get(render.key.encode())
        detail = None if number is None else self._detail(number)
        if number is None or detail is None:
            return None
        size, activation, trajectory = detail
        if pictures is not None:
            old = Render(**{**vars(render), "row": number})
            names = [picture_names(r, len(activation), form) for r in (old, render)]
            there = [self._folder / "pictures" / name for name in names[0]]
            if not all(_is_file(path) for path in there):
                return None
            for path, name in zip(there, names[1], strict=True):
                _link(path, pictures / name)
        row = self._rows[number]
        return Made(
            size, activation, trajectory, int(row["best"]), float(row["value"]), row["look"].copy()
        )

    def _detail(self, number: int) -> tuple[Any, Any, Any] | None:
        shard, place = divmod(number, Shards.ENTRIES)
        if shard not in self._shards:
            self._shards[shard] = _read_shard(self._folder / "details" / f"{shard}.js")
            if len(self._shards) > _SHARDS_KEPT:
                self._shards.popitem(last=False)
        entries = self._shards[shard]
        match entries[place] if place < len(entries) else None:
            case [_, [int(), int()] as size, [*activation], [*trajectory], *_] if activation:
                return size, activation, trajectory
        return None


def measure(data: Path) -> tuple[int, int]:
    """Count the files and the bytes in a data folder, ``reuse.json`` left out."""
    files = size = 0
    folders = [str(data)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name != RECORD:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_size
    return files, size


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)  # a file system without hard links


def _read(data: Path) -> Record | None:
    """Read the record of an edition; None if there is none, or other code wrote it."""
    try:
        if data.is_symlink():
            return None
        fields = json.loads((data / RECORD).read_text(encoding="ascii"))
        sound = isinstance(fields, dict) and fields.pop("recipe", None) == recipe()
        record = Record(**fields) if sound else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if record is None or not isinstance(record.key, str) or not isinstance(record.models, list):
        return None
    counts = (record.files, record.bytes, record.units, record.pictures, record.rows)
    if not all(type(count) is int for count in counts):
        return None
    if not isinstance(record.remarks, list) or not all(isinstance(r, str) for r in record.remarks):
        return None
    return record if all(isinstance(model, dict) for model in record.models) else None


def _read_rows(path: Path) -> NDArray[Any]:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return np.zeros(0, ROW)
    return rows if rows.dtype == ROW and rows.ndim == 1 else np.zeros(0, ROW)


def _read_shard(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="ascii")
        entries = json.loads(text.split("=", 2)[2].rstrip().removesuffix(";"))
    except (OSError, ValueError, IndexError, RecursionError):
        return []
    return entries if isinstance(entries, list) else []


def _texts(value: Any) -> dict[str, str]:
    known = value.items() if isinstance(value, dict) else ()
    return {name: key for name, key in known if isinstance(key, str)}
