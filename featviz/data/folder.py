"""Folders of image files as a data source."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from torch import Tensor

from featviz._util.image_files import check_image, read_image
from featviz.data.class_names import is_split, is_wordnet_id, whole_numbers, wordnet_names
from featviz.data.image_tree import images_below, is_image, visible
from featviz.data.source import digest, tail_of
from featviz.errors import FeatvizError

SPLITS = ("test", "val", "valid", "validation")
"""Names of held-out splits; the first that has classes is suggested."""


class Folder:
    """Image files: a sub-folder for each class, or no sub-folders and no labels.

    Hidden files and folders, and files without the suffix of an image, are ignored. Links are
    followed; see `featviz.data.image_tree.images_below`. Labels are the positions of the classes in
    the order of their names, or the names themselves if all are whole numbers; classes in between
    have no images. A sub-folder with other files than images is no class. Names that are all
    WordNet ids become those of ImageNet.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    FeatvizError
        If there is no such folder, a folder in it cannot be read, it has images both in sub-folders
        and outside of them, its sub-folders are splits, two are the same number, or one is empty,
        which may be a class or not. Empty ones among numbers are ignored, since no label depends on
        them.
    """

    interleaved = False

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            what = "is not a folder" if path.exists() else "does not exist"
            raise FeatvizError(f"{path} {what}; folder:PATH needs a folder of images")
        self._path = path
        inside = visible(path)
        unlabeled = [one for one in inside if is_image(one)]
        by_class = {one.name: images_below(one, path) for one in inside if one.is_dir()}
        by_class = {name: files for name, files in by_class.items() if files}
        if unlabeled and by_class:
            raise FeatvizError(
                f"{path} has images both in sub-folders, such as {next(iter(by_class))}, and "
                f"outside of them, such as {unlabeled[0].name}; put all or none into sub-folders"
            )
        _check_not_splits(path, by_class)
        names = tuple(by_class)
        self.wordnet_ids = names if all(map(is_wordnet_id, names)) else ()
        numbers = whole_numbers(names)
        if names and numbers is None:
            _check_not_empty(path, inside)
        labels = range(len(names)) if numbers is None else numbers
        if numbers is not None:
            self.classes = _numbered(path, names, numbers)
        else:
            self.classes = wordnet_names(names) if self.wordnet_ids else names
        labeled = [
            (one, label)
            for label, files in zip(labels, by_class.values(), strict=True)
            for one in files
        ]
        self._files = labeled or [(one, -1) for one in unlabeled]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def fingerprint(self) -> str:
        """Return a digest of the relative path, size and last 16 KiB of every file.

        A file that cannot be opened, such as a broken link, counts with its path alone.
        """
        return digest(
            part
            for path, _ in self._files
            for part in (path.relative_to(self._path).as_posix(), tail_of(path))
        )

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        """Read an image file; see `Source.read`."""
        path, label = self._files[index]
        return read_image(path, size), label

    def file_name(self, index: int) -> str:
        """Return the path of image `index` relative to the folder."""
        return self._files[index][0].relative_to(self._path).as_posix()

    def path(self, index: int) -> Path:
        """Return the file of image `index`."""
        return self._files[index][0]

    def check(self, index: int) -> None:
        """Decode image `index`; see `FileSource.check`."""
        check_image(self._files[index][0])

    def count_classes(self) -> int:
        """Return the number of classes with images."""
        return len({label for _, label in self._files if label >= 0})

    def label(self, index: int) -> int:
        """Return the label of image `index`, -1 without sub-folders."""
        return self._files[index][1]


def _numbered(path: Path, names: tuple[str, ...], numbers: list[int]) -> tuple[str, ...]:
    """Name the classes 0 to the largest number; those without a folder as the others are padded."""
    by_number: dict[int, str] = {}
    for name, number in zip(names, numbers, strict=True):
        other = by_number.setdefault(number, name)
        if other != name:
            raise FeatvizError(
                f"the sub-folders {other} and {name} of {path} are the same number, and numbers "
                "are labels; rename one"
            )
    width = min(map(len, names))
    return tuple(by_number.get(one, f"{one:0{width}}") for one in range(max(numbers) + 1))


def _check_not_empty(path: Path, inside: list[Path]) -> None:
    """Raise if one of the sub-folders `inside` is empty: as a class it would shift the labels."""
    for one in inside:
        if one.is_dir() and not visible(one):
            raise FeatvizError(
                f"the sub-folder {one.name} of {path} is empty; delete it, or put images into it "
                "if it is a class"
            )


def _check_not_splits(path: Path, by_class: Mapping[str, list[Path]]) -> None:
    """Raise if sub-folders are splits, such as ``train`` and ``val``, which hold the classes."""
    classes = {
        name: {one.relative_to(path / name).parts[0] for one in files if one.parent != path / name}
        for name, files in by_class.items()
        if is_split(name)
    }
    labeled = [name for name, inside in classes.items() if inside]
    # A class may be called "train"; not if another one is a split, too, and has the same classes.
    alike = any(one & other for one, other in combinations(classes.values(), 2))
    only = len(classes) == len(by_class) and (len(classes) > 1 or labeled)
    if alike or only:
        ranks = {name: rank for rank, name in enumerate(SPLITS)}
        best = min(labeled or classes, key=lambda name: ranks.get(name.lower(), len(ranks)))
        raise FeatvizError(
            f"the sub-folders of {path} are splits ({', '.join(classes)}), not classes; open one "
            f"of them, such as folder:{path / best}"
        )
