"""Datasets: text -> labeled images, in an order that stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from featviz.data.cueworld_images import Cueworld
from featviz.data.folder import Folder
from featviz.data.source import Source
from featviz.data.torchvision_datasets import Torchvision
from featviz.errors import FeatvizError, did_you_mean

FORMS = {
    "cueworld": "cueworld[:COUNT]",
    "folder": "folder:PATH",
    "cifar10": "cifar10:ROOT",
    "cifar100": "cifar100:ROOT",
    "torchvision": "torchvision:CLASS:ROOT",
}
"""How each kind of dataset is written."""


@dataclass(frozen=True)
class Dataset:
    """Images in a fixed order, most with labels; see `open_data`.

    Attributes
    ----------
    name : str
        The text that names it.
    classes : tuple of str
        Names of the labels 0, 1, ...; empty where unknown.
    """

    name: str
    classes: tuple[str, ...]
    _source: Source = field(repr=False, compare=False)

    def __len__(self) -> int:
        """Count the images."""
        return len(self._source)

    def fingerprint(self) -> str:
        """Digest of what the dataset holds, wherever it lies.

        Cueworld: its stream and count. Folders: the relative path, the size and the last 16 KiB
        of every file, where a changed PNG or JPEG differs. Torchvision: the class, the split, the
        number of images, the names of the classes, and the label and every pixel of 64 images,
        evenly spaced.

        Returns
        -------
        str
            SHA-256 in hexadecimal.

        Raises
        ------
        FeatvizError
            If a file cannot be read.
        """
        return self._source.fingerprint()

    def numbers(self, count: int | None = None) -> list[int]:
        """Numbers of the images that a count stands for, ascending.

        Evenly spaced, so that a set sorted by class gives every class its share: image
        ``i * len(self) // count``. Of cueworld, which shows its classes in turn, the first.

        Parameters
        ----------
        count : int, optional
            At least 1; all images if absent or more than there are.

        Raises
        ------
        FeatvizError
            If `count` is below 1.
        """
        if count is not None and count < 1:
            raise FeatvizError(f"at least 1 image is needed, not {count}")
        if count is None or count >= len(self):
            return list(range(len(self)))
        if self._source.in_turn:
            return list(range(count))
        return [index * len(self) // count for index in range(count)]

    def batches(
        self, size: int, batch: int = 64, count: int | None = None, start: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Read the images of `numbers`, in that order.

        Parameters
        ----------
        size : int
            Side of the squares in pixels. Cueworld draws at that size; other images are resized
            (bicubic) until their shorter side fits, and their middle is cut out.
        batch : int
            Images at once, at least 1; the last batch may hold fewer.
        count : int, optional
            How many images in all, see `numbers`.
        start : int
            How many of them to leave out at the beginning.

        Yields
        ------
        images : Tensor, shape (B, 3, size, size)
            RGB in [0, 1], float32, on the CPU.
        labels : Tensor, shape (B,)
            int64, -1 where unknown.

        Raises
        ------
        FeatvizError
            If an image cannot be read, or `batch` or `count` is below 1.
        """
        if batch < 1:
            raise FeatvizError(f"a batch holds at least 1 image, not {batch}")
        numbers = self.numbers(count)
        for first in range(start, len(numbers), batch):
            read = [self._source.read(one, size) for one in numbers[first : first + batch]]
            yield torch.stack([image for image, _ in read]), torch.tensor([one for _, one in read])

    def image(self, number: int, size: int) -> Tensor:
        """Read one image as `batches` does.

        Returns
        -------
        Tensor, shape (3, size, size)
            RGB in [0, 1].

        Raises
        ------
        FeatvizError
            If there is no such image, or it cannot be read.
        """
        self._check(number)
        return self._source.read(number, size)[0]

    def labels(self, numbers: Iterable[int]) -> list[int]:
        """Labels of images, -1 where unknown.

        Raises
        ------
        FeatvizError
            If there is no such image, or it must be read for its label and cannot be.
        """
        return [self._source.label(self._check(number)) for number in numbers]

    def masks(self, numbers: Iterable[int], size: int) -> Tensor:
        """Masks of the objects in images, which only cueworld has.

        Returns
        -------
        Tensor, shape (N, 1, size, size)
            Share of each pixel that the object covers, in [0, 1].

        Raises
        ------
        FeatvizError
            If the dataset has no masks, or there is no such image.
        """
        if not isinstance(self._source, Cueworld):
            raise FeatvizError(f"{self.name} has no object masks; only cueworld does")
        return torch.stack([self._source.mask(self._check(number), size) for number in numbers])

    def _check(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise FeatvizError(f"{self.name} has images 0 to {len(self) - 1}, not {number}")
        return number


def open_data(text: str, download: bool = False) -> Dataset:
    """Open the dataset that a text names.

    ============================  =================================================================
    ``cueworld[:COUNT]``          fresh images of the bundled world, 1000 if no count is given
    ``folder:PATH``               a sub-folder for each class, or images without labels
    ``cifar10:ROOT``              the test split of torchvision's CIFAR10; ``cifar100`` likewise
    ``torchvision:CLASS:ROOT``    a class of `torchvision.datasets`; of its splits the one held out
    ============================  =================================================================

    Parameters
    ----------
    text : str
        A kind, and after colons what it needs; ``~`` in a path is the home folder.
    download : bool
        Fetch what is not in ROOT, where torchvision offers it.

    Raises
    ------
    FeatvizError
        If the kind, the class or a folder does not exist, or there is no image in it.
    """
    kind, _, rest = text.partition(":")
    if kind not in FORMS:
        raise FeatvizError(f"there is no data {text!r}{_meant(text, kind)}")
    if download and kind in ("cueworld", "folder"):
        raise FeatvizError(f"{text} is not downloaded; only torchvision's datasets are")
    source = _open(text, kind, rest, download)
    if not len(source):
        raise FeatvizError(f"{text} holds no images")
    return Dataset(text, source.classes, source)


def _open(text: str, kind: str, rest: str, download: bool) -> Source:
    if kind == "cueworld":
        count = rest if text != kind else "1000"
        if not count.isascii() or not count.isdigit() or not 0 < int(count[:10]) < 10**9:
            raise FeatvizError(f"{text} is not {FORMS[kind]} with a count from 1 up")
        return Cueworld(int(count))
    name, _, root = rest.partition(":") if kind == "torchvision" else (kind.upper(), "", rest)
    if not name or not root:
        raise FeatvizError(f"{text} is not {FORMS[kind]}")
    path = Path(root).expanduser()
    return Folder(path) if kind == "folder" else Torchvision(name, path, download)


def _meant(text: str, kind: str) -> str:
    """Phrase what would be right: a folder by its path, a near kind, or the list of forms."""
    if Path(text).expanduser().is_dir():
        return f"; did you mean folder:{text}?"
    return did_you_mean(kind.lower(), FORMS) or f"; there are {', '.join(FORMS.values())}"
