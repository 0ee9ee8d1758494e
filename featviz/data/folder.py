"""Where the images of a dataset come from: the bundled world, or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from featviz import cueworld
from featviz._util.image_files import read_image
from featviz.errors import FeatvizError

HELD_OUT = 10_000
"""The stream of cueworld's images; the bundled models were trained on others."""

STARTS = 512
"""Places in the random stream that are kept, 5 kB each, however many images there are."""

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""How names of image files end, in lower case; other files in a folder are passed over."""


class Source(Protocol):
    """Images by number.

    Attributes
    ----------
    classes : tuple of str
        Names of the labels; empty where unknown.
    in_turn : bool
        Whether the order shows every class in turn, so that the first images are a fair sample.
    """

    classes: tuple[str, ...]
    in_turn: bool

    def __len__(self) -> int:
        """Count the images."""

    def fingerprint(self) -> str:
        """Digest of what is there."""

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Read an image, (3, size, size) in [0, 1], and its label, -1 where unknown."""

    def label(self, number: int) -> int:
        """Return what `read` gives as the label."""


class Cueworld:
    """The first images of the stream that `featviz.cueworld.evaluation` measures accuracy on."""

    classes: tuple[str, ...] = cueworld.CLASSES
    in_turn = True

    def __init__(self, count: int) -> None:
        self._count = count
        self._generator = torch.Generator().manual_seed(HELD_OUT)
        # By size: where the random stream stands before some blocks of 18 images, so that a block
        # can be drawn again without all those before it.
        self._starts: dict[int, dict[int, Tensor]] = {}
        self._drawn: tuple[int, int, cueworld.Batch] | None = None

    def __len__(self) -> int:
        """Count the images."""
        return self._count

    def fingerprint(self) -> str:
        """Digest of the stream and the count."""
        return digest(["cueworld", str(HELD_OUT), str(self._count)])

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Draw the block that an image is in, unless it was the last one drawn."""
        index = self.label(number)
        return self._block(number, size).images[index], index

    def label(self, number: int) -> int:
        """Return the class; they take turns."""
        return number % len(self.classes)

    def mask(self, number: int, size: int) -> Tensor:
        """Return the share of each pixel that an image's object covers, (1, size, size)."""
        return self._block(number, size).masks[self.label(number)]

    def _block(self, number: int, size: int) -> cueworld.Batch:
        block = number // len(self.classes)
        if self._drawn is None or self._drawn[:2] != (size, block):
            self._drawn = size, block, self._draw(size, block)
        return self._drawn[2]

    def _draw(self, size: int, block: int) -> cueworld.Batch:
        first = torch.Generator().manual_seed(HELD_OUT).get_state()
        starts = self._starts.setdefault(size, {0: first})
        begin = max(number for number in starts if number <= block)
        self._generator.set_state(starts[begin])
        for number in range(begin, block + 1):
            drawn = cueworld.sample(torch.arange(len(self.classes)), self._generator, size)
            starts[number + 1] = self._generator.get_state()
            if len(starts) > STARTS:
                _thin(starts)
        return drawn


def _thin(starts: dict[int, Tensor]) -> None:
    """Keep half of the places at most, evenly spaced, and the last, where a first pass goes on."""
    last = max(starts)
    step = -(-2 * last // STARTS)
    for number in starts.keys() - {*range(0, last, step), last}:
        del starts[number]


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
        labelled = [(one, label) for label, files in enumerate(by_class.values()) for one in files]
        self._files = labelled or [(one, -1) for one in beside]

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


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256 in hexadecimal of parts, each after its length, so that no two lists are alike."""
    state = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()
