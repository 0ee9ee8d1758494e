"""Datasets that torchvision reads."""

from __future__ import annotations

import inspect
from numbers import Integral
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torchvision import datasets

from featviz._util.image_files import square
from featviz.data.source import digest
from featviz.errors import FeatvizError, did_you_mean

SPLITS = ("test", "val", "valid")
"""What torchvision's classes call a split that nothing was trained on; the first that is there."""


class Torchvision:
    """A dataset class of torchvision: its held-out split, or all of it where it has none.

    Parameters
    ----------
    name : str
        The class in `torchvision.datasets`.
    root : Path
        What the class takes as `root`.
    download : bool
        Whether it may fetch what is not there.

    Raises
    ------
    FeatvizError
        If there is no such class, it needs more than a root, it cannot download though asked to,
        or it does not find what it needs.
    """

    in_turn = False

    def __init__(self, name: str, root: Path, download: bool) -> None:
        if name not in datasets.__all__ or not inspect.isclass(getattr(datasets, name)):
            raise FeatvizError(
                f"torchvision has no dataset {name!r}{did_you_mean(name, datasets.__all__)}"
            )
        kind = getattr(datasets, name)
        takes = inspect.signature(kind).parameters
        _check_arguments(name, takes, download)
        if not download and not root.is_dir():
            raise FeatvizError(f"{root} is no folder; it should hold the data of {name}")
        options: dict[str, Any] = {"root": str(root)}
        # Said even when False: some classes would download unasked.
        options |= {"download": download} if "download" in takes else {}
        options |= {"train": False} if "train" in takes else {}
        self._name, self._root = name, root
        self._split, self._data = _held_out(kind, options, SPLITS if "split" in takes else ("",))
        names = getattr(self._data, "classes", None) or ()
        self.classes = tuple(one if isinstance(one, str) else ", ".join(one) for one in names)

    def __len__(self) -> int:
        """Count the images."""
        return len(self._data)

    def fingerprint(self) -> str:
        """Digest of the class, the split, the classes, and 64 images with their labels."""
        parts: list[str | bytes] = [self._name, self._split, str(len(self)), *self.classes]
        count = min(len(self), 64)
        for index in range(count):
            image, label = self._item(index * len(self) // count)
            parts += [str(label), repr(image.size), image.tobytes()]
        return digest(parts)

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Read an item: its image, and its label if that is one whole number."""
        image, label = self._item(number)
        return square(image, size), label

    def label(self, number: int) -> int:
        """Return an item's label if that is one whole number, else -1."""
        return self._item(number)[1]

    def _item(self, number: int) -> tuple[Image.Image, int]:
        where = f"image {number} of torchvision's {self._name} in {self._root}"
        try:
            item = self._data[number]
        except Exception as error:
            raise FeatvizError(f"{where} cannot be read ({_reason(error)})") from error
        image, label = item[:2] if isinstance(item, tuple) and len(item) > 1 else (item, None)
        if not isinstance(image, Image.Image):
            raise FeatvizError(f"{where} is no picture but a {type(image).__name__}")
        if isinstance(label, Tensor) and label.ndim == 0 and not label.is_floating_point():
            label = label.item()
        return image.convert("RGB"), int(label) if isinstance(label, Integral) else -1


def _check_arguments(name: str, takes: Any, download: bool) -> None:
    """Refuse a class that cannot be opened from a folder alone."""
    optional = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    needed = [
        key
        for key, one in takes.items()
        if key not in ("root", "split") and one.default is one.empty and one.kind not in optional
    ]
    if needed or "root" not in takes:
        wanted = ", ".join(needed) or "no root"
        raise FeatvizError(
            f"torchvision's {name} takes {wanted}; only classes that need no more than a root work"
        )
    if download and "download" not in takes:
        raise FeatvizError(f"torchvision does not offer {name} for download; fetch it by hand")


def _held_out(kind: Any, options: dict[str, Any], splits: tuple[str, ...]) -> tuple[str, Any]:
    """Open the first of some splits that a class knows; an empty name asks for none."""
    split, *others = splits
    try:
        return split, kind(**options, **({"split": split} if split else {}))
    except Exception as error:
        if others and "for argument split" in str(error):
            return _held_out(kind, options, tuple(others))
        raise FeatvizError(
            f"torchvision's {kind.__name__} in {options['root']}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    # How one downloads in Python is not how one does on the command line.
    return text.replace("download=True", "--download")
