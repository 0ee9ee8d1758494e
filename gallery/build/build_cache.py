"""Reuse of files of the previous edition of a gallery.

The folder of each model has ``rows.npy``: the cache key of each picture row, which changes when the
row in its store does, with the data that the page needs. Files are reused as hard links, which take
neither time nor space, and stay when the old edition is removed.
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

from gallery.build.images import ImageFormat
from gallery.build.js_data import Shards
from gallery.build.manifest import measure, read_manifest
from gallery.build.plan import Render
from gallery.build.worker import RowResult, picture_names
from gallery.units.image_similarity import LENGTH

ROWS = "rows.npy"
PARTS = ("sheets", "strip", "examples", "map")
"""Folders of files that have cache keys of their own."""

ROW = np.dtype([("key", "S32"), ("best", "<i4"), ("value", "<f4"), ("descriptor", "u1", (LENGTH,))])
_FILE = re.compile(r"[0-9]+(-[0-9]+)*\.(webp|avif|js)", re.ASCII)
_MAX_SHARDS = 4  # of details, kept while rows are reused in order


class BuildCache:
    """An edition of a gallery, or none.

    Parameters
    ----------
    data : Path or None
        Data folder of the edition.

    Attributes
    ----------
    data : Path or None
    manifest : BuildManifest or None
        None if there is no valid edition.
    """

    def __init__(self, data: Path | None) -> None:
        self.data = data
        self.manifest = read_manifest(data) if data is not None else None

    @classmethod
    def latest(cls, folder: Path) -> BuildCache:
        """Find the newest complete edition in a folder.

        Parameters
        ----------
        folder : Path
            Folder of the gallery; may be missing.

        Returns
        -------
        BuildCache
        """
        try:
            paths = list(folder.iterdir()) if folder.is_dir() else []
        except OSError:  # raised again when the folder is written to
            paths = []
        numbered = [
            (int(match[1]), path)
            for path in paths
            if (match := re.fullmatch(r"data-([0-9]{1,9})", path.name, re.ASCII))
        ]
        for _, path in sorted(numbered, reverse=True):
            cache = cls(path)
            if cache.manifest is not None:
                return cache
        return cls(None)

    def is_complete(self) -> bool:
        """Return whether number and size of the files are those of the manifest."""
        if self.data is None or self.manifest is None:
            return False
        try:
            return measure(self.data) == (self.manifest.files, self.manifest.bytes)
        except OSError:
            return False

    def model(self, identity: str) -> ModelBuildCache:
        """Return the files of a model; empty if there are none.

        Parameters
        ----------
        identity : str
            See `gallery.model_page.identity`.
        """
        if self.data is None or self.manifest is None:
            return ModelBuildCache(None, {})
        for number, model in enumerate(self.manifest.models, 1):
            if model.get("identity") == identity:
                return ModelBuildCache(self.data / str(number), model)
        return ModelBuildCache(None, {})


class ModelBuildCache:
    """The files of a model in an edition.

    Parameters
    ----------
    folder : Path or None
        Folder of the model; None if there are no files.
    keys : mapping
        Entry of the model in the manifest: for each of `PARTS`, the cache key of each file.
    """

    def __init__(self, folder: Path | None, keys: Mapping[str, Any]) -> None:
        parts = ("", "pictures", "details", *PARTS)
        if folder is not None and any((folder / part).is_symlink() for part in parts):
            folder = None
        self._folder = folder or Path()
        self._rows = _read_rows(folder / ROWS) if folder is not None else np.zeros(0, ROW)
        self._indices = {key: i for i, key in enumerate(self._rows["key"].tolist()) if key}
        self._files = {
            (part, key): name
            for part in PARTS
            for name, key in _string_items(keys.get(part)).items()
            if _FILE.fullmatch(name)
        }
        self._shards: OrderedDict[int, list[Any]] = OrderedDict()

    def link_file(self, part: str, key: str, target: Path) -> bool:
        """Reuse a file.

        Parameters
        ----------
        part : str
            One of `PARTS`.
        key : str
            Cache key.
        target : Path
            Path of the link.

        Returns
        -------
        bool
            Whether the file exists.
        """
        name = self._files.get((part, key))
        if name is None or not _is_file(self._folder / part / name):
            return False
        _link(self._folder / part / name, target)
        return True

    def link_row(
        self, render: Render, pictures: Path | None, image_format: ImageFormat
    ) -> RowResult | None:
        """Reuse the pictures and the data of a row.

        Parameters
        ----------
        render : Render
        pictures : Path or None
            Folder of the links to pictures; None to make none.
        image_format : ImageFormat

        Returns
        -------
        RowResult or None
            Without a cell. None if the row or one of its files is missing.
        """
        index = self._indices.get(render.key.encode())
        detail = None if index is None else self._detail(index)
        if index is None or detail is None:
            return None
        size, activation, trajectory = detail
        if pictures is not None:
            old = Render(**{**vars(render), "row": index})
            names = [picture_names(r, len(activation), image_format) for r in (old, render)]
            paths = [self._folder / "pictures" / name for name in names[0]]
            if not all(_is_file(path) for path in paths):
                return None
            for path, name in zip(paths, names[1], strict=True):
                _link(path, pictures / name)
        row = self._rows[index]
        return RowResult(
            size,
            activation,
            trajectory,
            int(row["best"]),
            float(row["value"]),
            row["descriptor"].copy(),
        )

    def _detail(self, index: int) -> tuple[Any, Any, Any] | None:
        shard, position = divmod(index, Shards.ENTRIES)
        if shard not in self._shards:
            self._shards[shard] = _read_shard(self._folder / "details" / f"{shard}.js")
            if len(self._shards) > _MAX_SHARDS:
                self._shards.popitem(last=False)
        entries = self._shards[shard]
        match entries[position] if position < len(entries) else None:
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
        shutil.copyfile(old, new)  # the file system has no hard links


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


def _string_items(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {name: key for name, key in items if isinstance(key, str)}
