"""Datasets by name: labeled images in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from featviz.data.cueworld_images import Cueworld
from featviz.data.folder import Folder
from featviz.data.source import FileSource, Source
from featviz.data.torchvision_datasets import Torchvision
from featviz.data.unreadable import describe, find_unreadable
from featviz.errors import FeatvizError, did_you_mean

FORMS = {
    "cueworld": "cueworld[:COUNT]",
    "folder": "folder:PATH",
    "cifar10": "cifar10:ROOT",
    "cifar100": "cifar100:ROOT",
    "torchvision": "torchvision:CLASS:ROOT",
}
"""Syntax of each kind of dataset."""


@dataclass(frozen=True)
class Dataset:
    """Images in a fixed order, most with labels; see `open_data`.

    Attributes
    ----------
    name : str
        The name given to `open_data`.
    classes : tuple of str
        Names of the labels 0, 1, ...; empty if unknown.
    skip_unreadable : bool or None
        Whether `readable` leaves out images that cannot be read, instead of raising. None if the
        user cannot choose; errors then do not name the option.
    left_out : mapping of int to str
        Indices and names of images that `indices` leaves out. They keep their indices, so that the
        other images keep theirs.
    """

    name: str
    classes: tuple[str, ...]
    _source: Source = field(repr=False, compare=False)
    skip_unreadable: bool | None = False
    left_out: Mapping[int, str] = field(default_factory=dict, hash=False)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._source)

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """WordNet ids of the classes, as of ImageNet; empty if unknown."""
        return self._source.wordnet_ids

    def fingerprint(self) -> str:
        """Compute a digest of the content, independent of its location.

        For cueworld: seed and count. For folders: relative path, size and last 16 KiB of every
        file, which differ for changed PNG and JPEG files. For torchvision: class, split, number of
        images, class names, and label and pixels of 64 evenly spaced images. Files that cannot be
        read count as unreadable.

        Returns
        -------
        str
            SHA-256, hexadecimal.
        """
        return self._source.fingerprint()

    def indices(self, count: int | None = None) -> list[int]:
        """Choose `count` images.

        They are evenly spaced, so that a dataset sorted by class gives a sample of every class:
        image ``i * len(self) // count``. For cueworld, whose classes repeat in order, they are the
        first ones. Of these, the images of `left_out` are left out, and not replaced by others.

        Parameters
        ----------
        count : int, optional
            At least 1; all images by default, or if there are fewer.

        Returns
        -------
        list of int
            Ascending indices.

        Raises
        ------
        FeatvizError
            If `count` is below 1.
        """
        if count is not None and count < 1:
            raise FeatvizError(f"at least 1 image is needed, not {count}")
        chosen = self.sample(len(self), count)
        return [index for index in chosen if index not in self.left_out]

    def sample(self, total: int, count: int | None) -> Sequence[int]:
        """Choose `count` of `total` images in the order of the dataset, as `indices` does.

        Parameters
        ----------
        total : int
        count : int or None
            All of them if None, or if there are fewer.

        Returns
        -------
        sequence of int
            Ascending, from 0 to `total` - 1.
        """
        if count is None or count >= total:
            return range(total)
        if self._source.interleaved:
            return range(count)
        return [index * total // count for index in range(count)]

    def readable(
        self, indices: Sequence[int], recorded: Mapping[str, Any] | None = None
    ) -> Dataset:
        """Check that images can be read, before a job begins.

        Parameters
        ----------
        indices : sequence of int
            Indices of the images of the job.
        recorded : mapping, optional
            The configuration of an earlier run of the job that has stored rows. What it left out is
            left out again, and no image is read.

        Returns
        -------
        Dataset
            Without the images that cannot be read, if `skip_unreadable` is set; see `left_out`.

        Raises
        ------
        FeatvizError
            If some images cannot be read and `skip_unreadable` is not set, naming them, or if none
            can be read.
        """
        if recorded is not None and ("unreadable" in recorded or not self.skip_unreadable):
            return self.without(recorded)
        found = find_unreadable(self._source, indices)
        if found and (len(found) == len(indices) or not self.skip_unreadable):
            can_skip = self.skip_unreadable is False
            option = ", or leave them out with --skip-unreadable" if can_skip else ""
            raise FeatvizError(
                f"{describe(self.name, list(found.values()), len(indices))}; replace or remove "
                f"them{option}"
            )
        names = {index: self.file_name(index) for index in found}
        return replace(self, left_out={**self.left_out, **names})

    def without(self, configuration: Mapping[str, Any]) -> Dataset:
        """Leave out the images that a job left out.

        Parameters
        ----------
        configuration : mapping
            Settings of the job, with the images of `configuration`.

        Returns
        -------
        Dataset
        """
        unreadable = configuration.get("unreadable", {})
        return replace(self, left_out={int(index): name for index, name in unreadable.items()})

    def indices_of(self, configuration: Mapping[str, Any]) -> list[int]:
        """Return the indices of the images that a job used; see `indices`.

        Parameters
        ----------
        configuration : mapping
            Settings of the job, with the images of `configuration`.

        Returns
        -------
        list of int
            Ascending indices.
        """
        found = self.without(configuration)
        return found.indices(configuration["images"] + len(found.left_out))

    def count_classes(self) -> int:
        """Return the number of classes; of a folder, only of those with images.

        The folders ``3`` and ``700`` are two of 701 `classes`.
        """
        if isinstance(self._source, Folder):
            return self._source.count_classes()
        return len(self.classes)

    def configuration(self, images: int) -> dict[str, Any]:
        """Return what a job records about its images.

        Parameters
        ----------
        images : int
            Number of images that it uses.

        Returns
        -------
        dict
            ``data`` (name and fingerprint) and ``images``; ``unreadable``, the names of the images
            of `left_out` by index, only if there are any.
        """
        data = {"name": self.name, "fingerprint": self.fingerprint()}
        return {"data": data, "images": images, **self.unreadable}

    @property
    def unreadable(self) -> dict[str, dict[str, str]]:
        """What `configuration` records about `left_out`; empty if nothing is left out."""
        names = {str(index): name for index, name in self.left_out.items()}
        return {"unreadable": names} if names else {}

    def batches(
        self, size: int, batch: int = 64, count: int | None = None, start: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Read the images of `indices`, in that order.

        Parameters
        ----------
        size : int
            Side of the squares in pixels. Cueworld draws at this size; other images are resized
            (bicubic) until their shorter side fits, and cropped at the center.
        batch : int
            Images per batch, at least 1; the last batch may have fewer.
        count : int, optional
            Total number of images, see `indices`.
        start : int
            Number of images to skip at the beginning.

        Yields
        ------
        images : Tensor, shape (B, 3, size, size)
            RGB in [0, 1], float32, on the CPU.
        labels : Tensor, shape (B,)
            int64, -1 if unknown.

        Raises
        ------
        FeatvizError
            If an image cannot be read, or `batch` or `count` is below 1.
        """
        if batch < 1:
            raise FeatvizError(f"a batch needs at least 1 image, not {batch}")
        indices = self.indices(count)
        for first in range(start, len(indices), batch):
            read = [self._source.read(index, size) for index in indices[first : first + batch]]
            yield torch.stack([image for image, _ in read]), torch.tensor([one for _, one in read])

    def images(self, indices: Iterable[int], size: int) -> Tensor:
        """Read images as `batches` does.

        Parameters
        ----------
        indices : iterable of int
            Indices of N images, at least one.
        size : int
            Side of the squares in pixels.

        Returns
        -------
        Tensor, shape (N, 3, size, size)
            RGB in [0, 1].

        Raises
        ------
        FeatvizError
            If there is no such image, or one cannot be read.
        """
        return torch.stack([self.image(index, size) for index in indices])

    def image(self, index: int, size: int) -> Tensor:
        """Read one image as `batches` does.

        Parameters
        ----------
        index : int
            Index of the image.
        size : int
            Side of the square in pixels.

        Returns
        -------
        Tensor, shape (3, size, size)
            RGB in [0, 1].

        Raises
        ------
        FeatvizError
            If there is no such image, or it cannot be read.
        """
        self._check(index)
        return self._source.read(index, size)[0]

    def labels(self, indices: Iterable[int]) -> list[int]:
        """Return the labels of the images `indices`, -1 if unknown.

        Raises
        ------
        FeatvizError
            If there is no such image, or its label cannot be read.
        """
        return [self._source.label(self._check(index)) for index in indices]

    def masks(self, indices: Iterable[int], size: int) -> Tensor:
        """Return masks of the objects in images; only cueworld has them.

        Parameters
        ----------
        indices : iterable of int
            Indices of N images.
        size : int
            Side of the images in pixels.

        Returns
        -------
        Tensor, shape (N, 1, size, size)
            Fraction of each pixel that the object covers, in [0, 1].

        Raises
        ------
        FeatvizError
            If the dataset has no masks, or there is no such image.
        """
        if not isinstance(self._source, Cueworld):
            raise FeatvizError(f"{self.name} has no object masks; only cueworld does")
        return torch.stack([self._source.mask(self._check(index), size) for index in indices])

    def with_other_cue(self, indices: Iterable[int], size: int, cue: str, seed: int = 0) -> Tensor:
        """Draw images with another value of one cue; only cueworld can.

        Parameters
        ----------
        indices : iterable of int
            Indices of N images.
        size : int
            Side of the images in pixels.
        cue : str
            One of `featviz.cueworld.CUES`; see `featviz.cueworld.sample`.
        seed : int
            Seed of the choice of the other value.

        Returns
        -------
        Tensor, shape (N, 3, size, size)
            RGB in [0, 1].

        Raises
        ------
        FeatvizError
            If the dataset is another one, or there is no such image.
        """
        if not isinstance(self._source, Cueworld):
            raise FeatvizError(f"{self.name} has no cues that can be swapped; only cueworld does")
        drawn = [self._source.swapped(self._check(one), size, cue, seed) for one in indices]
        return torch.stack(drawn)

    def path(self, index: int) -> Path:
        """Return the file of an image.

        Raises
        ------
        FeatvizError
            If the dataset is no folder of images, or there is no such image.
        """
        if not isinstance(self._source, Folder):
            raise FeatvizError(f"{self.name} has no image files to find masks by; use folder:PATH")
        return self._source.path(self._check(index))

    def file_name(self, index: int) -> str:
        """Return the path of an image relative to its folder; the index if it has no file."""
        source = self._source
        return source.file_name(index) if isinstance(source, FileSource) else str(index)

    def _check(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise FeatvizError(f"{self.name} has images 0 to {len(self) - 1}, not {index}")
        return index


def open_data(text: str, download: bool = False, skip_unreadable: bool | None = False) -> Dataset:
    """Open a dataset by name.

    ============================  =================================================================
    ``cueworld[:COUNT]``          held-out images of the bundled world, 1000 by default
    ``folder:PATH``               a sub-folder for each class, or images without labels
    ``cifar10:ROOT``              the test split of torchvision's CIFAR10; ``cifar100`` likewise
    ``torchvision:CLASS:ROOT``    the held-out split of a class of `torchvision.datasets`
    ============================  =================================================================

    Parameters
    ----------
    text : str
        The kind and its arguments, separated by colons; ``~`` in a path is the home folder.
    download : bool
        Download files that are missing in ROOT, if torchvision supports it.
    skip_unreadable : bool, optional
        Leave out images that cannot be read; see `Dataset`.

    Returns
    -------
    Dataset

    Raises
    ------
    FeatvizError
        If the kind, class or folder does not exist, or has no images.
    """
    kind, _, rest = text.partition(":")
    if kind not in FORMS:
        raise FeatvizError(f"unknown dataset {text!r}{_suggestion(text, kind)}")
    if download and kind in ("cueworld", "folder"):
        raise FeatvizError(f"{text} cannot be downloaded; only torchvision's datasets can")
    source = _open(text, kind, rest, download)
    if not len(source):
        raise FeatvizError(f"{text} has no images")
    return Dataset(text, source.classes, source, skip_unreadable)


def _open(text: str, kind: str, rest: str, download: bool) -> Source:
    if kind == "cueworld":
        count = rest if text != kind else "1000"
        if not count.isascii() or not count.isdigit() or not 0 < int(count[:10]) < 10**9:
            raise FeatvizError(f"expected {FORMS[kind]} with a count from 1, got {text!r}")
        return Cueworld(int(count))
    name, _, root = rest.partition(":") if kind == "torchvision" else (kind.upper(), "", rest)
    if not name or not root:
        raise FeatvizError(f"expected {FORMS[kind]}, got {text!r}")
    path = Path(os.path.expanduser(root))  # noqa: PTH111 - a Path raises for an unknown user
    return Folder(path) if kind == "folder" else Torchvision(name, path, download)


def _suggestion(text: str, kind: str) -> str:
    """Suggest a folder by its path, a similar kind, or the list of forms."""
    if os.path.isdir(os.path.expanduser(text)):  # noqa: PTH111, PTH112 - see `_open`
        return f"; did you mean folder:{text}?"
    return did_you_mean(kind.lower(), FORMS) or f"; available are {', '.join(FORMS.values())}"
