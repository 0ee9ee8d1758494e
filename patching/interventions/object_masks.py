"""Objects or backgrounds of images, filled by masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from featviz._util.image_files import check_image, image_shape, read_image
from featviz.cueworld import blur
from featviz.data.datasets import Dataset
from featviz.data.image_tree import companion
from featviz.data.source import digest
from featviz.errors import FeatvizError

FILLS = ("mean", "blur")
WHITE = 0.5
"""Masks with smaller values are of another coding, such as class numbers; empty ones have none."""


@dataclass(frozen=True)
class ObjectMasks:
    """Masks of the objects in images of a dataset, and what replaces the objects.

    Attributes
    ----------
    folder : Path or None
        Of one mask for each image, white where the object is; None for the masks of the dataset.
    fill : str or Path
        One of `FILLS`, or a folder with an inpainted copy of each image.
    background : bool
        Whether the background is replaced instead.
    """

    folder: Path | None
    fill: str | Path
    background: bool = False

    @classmethod
    def parse(cls, text: str, background: bool) -> ObjectMasks:
        """Parse ``[DIR][:mean|blur|PATH]``; without DIR, the dataset has masks.

        Raises
        ------
        FeatvizError
            If a folder does not exist.
        """
        folder, _, fill = text.partition(":")
        inpainted = None if fill in {"", *FILLS} else _folder(fill)
        return cls(_folder(folder) if folder else None, inpainted or fill or "mean", background)

    def check(self, data: Dataset, indices: Sequence[int], size: int) -> str:
        """Check that every image has a mask and, if needed, an inpainted copy of its size.

        Parameters
        ----------
        data : Dataset
        indices : sequence of int
            Of all images of the experiment.
        size : int
            Side of the images in pixels.

        Returns
        -------
        str
            Digest of the files; empty without any.

        Raises
        ------
        FeatvizError
            If a file is missing or cannot be read, belongs to two images, or is not as large as its
            image, a mask is dark everywhere, or the dataset has no masks or no image files.
        """
        if self.folder is None:
            data.masks(indices[:1], size)
        contents, owners = [], dict[Path, Path]()
        for folder in (each for each in (self.folder, self.fill) if isinstance(each, Path)):
            for index in indices:
                image = data.path(index)
                file = companion(folder, data.file_name(index))
                _check(file, image)
                if file in owners:
                    raise FeatvizError(
                        f"{file} belongs to two images, {owners[file]} and {image}; rename one"
                    )
                owners[file] = image
                if folder is self.folder:
                    _check_mask(file, size)
                contents.append(file.read_bytes())
        return digest(contents) if contents else ""

    def fill_in(self, images: Tensor, data: Dataset, indices: Sequence[int]) -> Tensor:
        """Replace the object, or the background, of images.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1].
        data : Dataset
        indices : sequence of int, length N

        Returns
        -------
        Tensor, shape (N, 3, H, W)
        """
        size = images.shape[-1]
        if self.folder is None:
            masks = data.masks(indices, size)
        else:
            masks = _read(self.folder, data, indices, size)[:, :1]
        if self.background:
            masks = 1 - masks
        if isinstance(self.fill, Path):
            filling = _read(self.fill, data, indices, size).to(images)
        elif self.fill == "blur":
            filling = blur(images)
        else:
            filling = images.mean((2, 3), keepdim=True).expand_as(images)
        return torch.lerp(images, filling, masks.to(images))


def _read(folder: Path, data: Dataset, indices: Sequence[int], size: int) -> Tensor:
    files = [companion(folder, data.file_name(index)) for index in indices]
    return torch.stack([read_image(file, size) for file in files])


def _check(file: Path, image: Path) -> None:
    check_image(file)
    (width, height), wanted = image_shape(file), image_shape(image)
    if (width, height) != wanted:
        raise FeatvizError(
            f"{file} is {width} x {height} pixels, but its image {image} is "
            f"{wanted[0]} x {wanted[1]}"
        )


def _check_mask(file: Path, size: int) -> None:
    brightest = float(read_image(file, size)[0].max())
    if 0 < brightest < WHITE:
        raise FeatvizError(
            f"{file} is dark, {round(255 * brightest)} of 255 at most: a mask must be white where "
            "the object is"
        )


def _folder(text: str) -> Path:
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - a Path raises for an unknown user
    if not path.is_dir():
        raise FeatvizError(
            f"there is no folder {text}; a mask needs DIR or DIR:mean, DIR:blur or DIR:PATH"
        )
    return path
