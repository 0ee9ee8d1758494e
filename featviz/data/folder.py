"""Folders of image files as a data source."""

from __future__ import annotations

import os
from pathlib import Path

from torch import Tensor

from featviz._util.image_files import read_image
from featviz.data.source import digest
from featviz.errors import FeatvizError

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""Suffixes of image files, in lower case; other files are ignored."""


class Folder:
    """Image files: a sub-folder for each class, or no sub-folders and no labels.

    Hidden files and folders, and files without the suffix of an image, are ignored.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    FeatvizError
        If there is no such folder, or it has images both in sub-folders and outside of them.
    """

    interleaved = False

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            what = "is not a folder" if path.exists() else "does not exist"
            raise FeatvizError(f"{path} {what}; folder:PATH needs a folder of images")
        self._path = path
        inside = [one for one in sorted(path.iterdir()) if not one.name.startswith(".")]
        unlabeled = [one for one in inside if _is_image(one)]
        by_class = {one.name: _images_below(one) for one in inside if one.is_dir()}
        by_class = {name: files for name, files in by_class.items() if files}
        if unlabeled and by_class:
            raise FeatvizError(
                f"{path} has images both in sub-folders, such as {next(iter(by_class))}, and "
                f"outside of them, such as {unlabeled[0].name}; put all or none into sub-folders"
            )
        self.classes = tuple(by_class)
        labeled = [(one, label) for label, files in enumerate(by_class.values()) for one in files]
        self._files = labeled or [(one, -1) for one in unlabeled]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def fingerprint(self) -> str:
        """Return a digest of the relative path, size and last 16 KiB of every file."""
        return digest(
            part
            for path, _ in self._files
            for part in (path.relative_to(self._path).as_posix(), _tail(path))
        )

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        """Read an image file; see `Source.read`."""
        path, label = self._files[index]
        return read_image(path, size), label

    def label(self, index: int) -> int:
        """Return the label of image `index`: the position of its sub-folder, or -1."""
        return self._files[index][1]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _images_below(folder: Path) -> list[Path]:
    """Return all image files in a folder and its sub-folders, except hidden ones, by path."""
    return sorted(
        path
        for path in folder.rglob("*")
        if _is_image(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _tail(path: Path, length: int = 16_384) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return str(size).encode() + b":" + file.read()
    except OSError as error:
        raise FeatvizError(f"{path} cannot be read ({error.strerror})") from error
