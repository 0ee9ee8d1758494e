"""Where the images of a dataset come from: the bundled world, or a folder."""

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
"""How names of image files end, in lower case; other files in a folder are passed over."""


class Folder:
    """Image files: a sub-folder for each class, or no sub-folders and no labels.

    Hidden files and folders, and files that are no images by their names, are passed over.

    Raises
    ------
    FeatvizError
        If there is no such folder, or images lie beside sub-folders with images.
    """

    in_turn = False

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            what = "is no folder" if path.exists() else "does not exist"
            raise FeatvizError(f"{path} {what}; folder:PATH takes a folder of images")
        self._path = path
        inside = [one for one in sorted(path.iterdir()) if not one.name.startswith(".")]
        beside = [one for one in inside if _is_image(one)]
        by_class = {one.name: _images_below(one) for one in inside if one.is_dir()}
        by_class = {name: files for name, files in by_class.items() if files}
        if beside and by_class:
            raise FeatvizError(
                f"{path} has images both in sub-folders, such as {next(iter(by_class))}, and "
                f"beside them, such as {beside[0].name}; each image needs a class, or none does"
            )
        self.classes = tuple(by_class)
        labeled = [(one, label) for label, files in enumerate(by_class.values()) for one in files]
        self._files = labeled or [(one, -1) for one in beside]

    def __len__(self) -> int:
        """Count the images."""
        return len(self._files)

    def fingerprint(self) -> str:
        """Digest of the relative path, the size and the last 16 KiB of every file."""
        return digest(
            part
            for path, _ in self._files
            for part in (path.relative_to(self._path).as_posix(), _ending(path))
        )

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Read an image file; an error names it."""
        path, label = self._files[number]
        return read_image(path, size), label

    def label(self, number: int) -> int:
        """Return the place of the image's sub-folder, or -1."""
        return self._files[number][1]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _images_below(folder: Path) -> list[Path]:
    """All image files below a folder, sorted by path, without those in hidden folders."""
    return sorted(
        path
        for path in folder.rglob("*")
        if _is_image(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _ending(path: Path, most: int = 16_384) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            return str(size).encode() + b":" + file.read()
    except OSError as error:
        raise FeatvizError(f"{path} cannot be read ({error.strerror})") from error
