"""Dataset classes of torchvision as a data source."""

from __future__ import annotations

import inspect
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torchvision import datasets

from featviz._util.image_files import resize_and_crop, too_large
from featviz.data.source import digest
from featviz.errors import FeatvizError, did_you_mean

SPLITS = ("test", "val", "valid")
"""Names of held-out splits in torchvision; the first that a class has is used."""


class Torchvision:
    """A dataset class of torchvision: its held-out split, or all of it if it has no splits.

    Parameters
    ----------
    name : str
        Name of the class in `torchvision.datasets`.
    root : Path
        Argument `root` of the class.
    download : bool
        Whether to download missing files.

    Raises
    ------
    FeatvizError
        If there is no such class, it needs more arguments than a root, it does not support
        downloads, or its files are missing.
    """

    interleaved = False

    def __init__(self, name: str, root: Path, download: bool) -> None:
        if name not in datasets.__all__ or not inspect.isclass(getattr(datasets, name)):
            raise FeatvizError(
                f"torchvision has no dataset {name!r}{did_you_mean(name, datasets.__all__)}"
            )
        kind = getattr(datasets, name)
        takes = inspect.signature(kind).parameters
        _check_arguments(name, takes, download)
        if not download and not root.is_dir():
            raise FeatvizError(f"{root} is not a folder; it must contain the data of {name}")
        options: dict[str, Any] = {"root": str(root)}
        # Passed even if False: some classes download by default.
        options |= {"download": download} if "download" in takes else {}
        options |= {"train": False} if "train" in takes else {}
        splits = SPLITS if "split" in takes else ("",)
        self._name, self._root = name, root
        try:
            self._split, self._data = _held_out(kind, options, splits)
        except FeatvizError as error:
            if (meant := _meant_root(kind, options, splits)) is None:
                raise
            raise FeatvizError(
                f"{root} is a folder inside of ROOT, which is {meant} for {name}"
            ) from error
        names = getattr(self._data, "classes", None) or ()
        self.classes = tuple(one if isinstance(one, str) else ", ".join(one) for one in names)
        self.wordnet_ids = tuple(getattr(self._data, "wnids", ()))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._data)

    def fingerprint(self) -> str:
        """Return a digest of the class, the split, the classes, and 64 images with their labels.

        An image that cannot be read counts as unreadable.
        """
        parts: list[str | bytes] = [self._name, self._split, str(len(self)), *self.classes]
        count = min(len(self), 64)
        for index in range(count):
            try:
                image, label = self._item(index * len(self) // count)
            except FeatvizError:  # `Dataset.readable` names it
                parts.append(b"unreadable")
            else:
                parts += [str(label), repr(image.size), image.tobytes()]
        return digest(parts)

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        """Read an image, and its label if that is an integer; see `Source.read`."""
        image, label = self._item(index)
        return resize_and_crop(image, size), label

    def file_name(self, index: int) -> str:
        """Return ``image INDEX``: the classes of torchvision do not name their files alike."""
        return f"image {index}"

    def check(self, index: int) -> None:
        """Read image `index`; see `FileSource.check`."""
        self._item(index)

    def label(self, index: int) -> int:
        """Return the label of image `index` if that is an integer, else -1."""
        return self._item(index)[1]

    def _item(self, index: int) -> tuple[Image.Image, int]:
        where = f"image {index} of torchvision's {self._name} in {self._root}"
        try:
            item = self._data[index]
        except Image.DecompressionBombError as error:
            raise FeatvizError(f"{where}: {too_large(error)}") from error
        except Exception as error:
            raise FeatvizError(f"{where} cannot be read ({_reason(error)})") from error
        image, label = item[:2] if isinstance(item, tuple) and len(item) > 1 else (item, None)
        if not isinstance(image, Image.Image):
            raise FeatvizError(f"{where} is a {type(image).__name__}, not an image")
        if isinstance(label, Tensor) and label.ndim == 0 and not label.is_floating_point():
            label = label.item()
        return image.convert("RGB"), int(label) if isinstance(label, Integral) else -1


def _check_arguments(name: str, takes: Any, download: bool) -> None:
    """Raise if a class needs more arguments than a root, or does not support downloads."""
    optional = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    needed = [
        key
        for key, one in takes.items()
        if key not in ("root", "split") and one.default is one.empty and one.kind not in optional
    ]
    if needed or "root" not in takes:
        wanted = ", ".join(needed) or "no root"
        raise FeatvizError(
            f"torchvision's {name} takes {wanted}; supported are classes that need only a root"
        )
    if download and "download" not in takes:
        raise FeatvizError(f"torchvision cannot download {name}; download it manually")


def _held_out(kind: Any, options: dict[str, Any], splits: tuple[str, ...]) -> tuple[str, Any]:
    """Open the first of several splits that a class has; an empty name is for no split."""
    split, *others = splits
    try:
        return split, kind(**options, **({"split": split} if split else {}))
    except Exception as error:
        if others and "for argument split" in str(error):
            return _held_out(kind, options, tuple(others))
        raise FeatvizError(
            f"torchvision's {kind.__name__} in {options['root']}: {_reason(error)}"
        ) from error


def _meant_root(kind: Any, options: dict[str, Any], splits: tuple[str, ...]) -> Path | None:
    """Return the parent folder that has the data, if ROOT is a folder that the class made there."""
    if kind is datasets.ImageFolder:
        return None  # any folder of images would do, and it reads all folders in ROOT
    # Such as ROOT/cifar-10-batches-py, or ROOT/MNIST/raw.
    for parent in Path(options["root"]).absolute().parents[:2]:
        here = {**options, "root": str(parent)} | (
            {"download": False} if "download" in options else {}
        )
        with suppress(FeatvizError):
            _held_out(kind, here, splits)
            return parent
    return None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    # Advice for Python, translated to the command line.
    return text.replace("download=True", "--download")
