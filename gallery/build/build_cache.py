"""What an export takes over from the edition before: files of rows that are still the same.

Each model's folder holds ``rows.npy``: of each picture row the key, which changes with the row in
its store, and what the page needs of it. Files are taken over as hard links, so they cost neither
time nor space, and an edition that is removed takes none of them along.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gallery.build.images import Form
from gallery.build.js_data import Shards
from gallery.build.manifest import measure, read_manifest
from gallery.build.plan import Render
from gallery.build.worker import Made, picture_names
from gallery.units.image_similarity import LENGTH

ROWS = "rows.npy"
PARTS = ("sheets", "strip", "examples")  # folders of files that are known by keys of their own
ROW = np.dtype([("key", "S32"), ("best", "<i4"), ("value", "<f4"), ("look", "u1", (LENGTH,))])
_FILE = re.compile(r"[0-9]+(-[0-9]+)*\.(webp|avif)", re.ASCII)
_SHARDS_KEPT = 4  # of details, while rows are taken over in order


class BuildCache:
    """An edition that is there, or none.

    Parameters
    ----------
    data : Path or None
        Its data folder.
    """

    def __init__(self, data: Path | None) -> None:
        self.data = data
        self.record = read_manifest(data) if data is not None else None

    @classmethod
    def of(cls, folder: Path) -> BuildCache:
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

    def model(self, identity: str) -> ModelBuildCache:
        """Return what there is of a model; an empty one if there is nothing."""
        if self.data is None or self.record is None:
            return ModelBuildCache(None, {})
        for number, model in enumerate(self.record.models, 1):
            if model.get("identity") == identity:
                return ModelBuildCache(self.data / str(number), model)
        return ModelBuildCache(None, {})


class ModelBuildCache:
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
