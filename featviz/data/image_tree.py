"""The image files below a folder, through links."""

from __future__ import annotations

from pathlib import Path

from featviz.errors import FeatvizError

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""Suffixes of image files, in lower case; other files are ignored."""


def visible(folder: Path) -> list[Path]:
    """List a folder, sorted, without hidden files and folders.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path

    Raises
    ------
    FeatvizError
        If the folder cannot be read, or a link without a suffix, which may be a folder of images,
        is broken. (A broken link to an image is listed, and is an unreadable image.)
    """
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise FeatvizError(f"{folder} cannot be read ({error.strerror})") from error
    for path in found:
        if not path.suffix and _is_broken(path):
            raise FeatvizError(
                f"{path} is a broken link, to {path.readlink()}; restore what it links to, "
                "or remove it"
            )
    return found


def is_image(path: Path) -> bool:
    """Return whether a path is a file with the suffix of an image, or a broken link to one."""
    return path.suffix.lower() in SUFFIXES and (path.is_file() or _is_broken(path))


def companion(folder: Path, name: str) -> Path:
    """Find the image file in a folder that belongs to an image of another one.

    Parameters
    ----------
    folder : Path
    name : str
        Relative path of the image.

    Returns
    -------
    Path
        With the same relative path, or another suffix.

    Raises
    ------
    FeatvizError
        If there is none.
    """
    same = folder / name
    for path in (same, *(same.with_suffix(suffix) for suffix in sorted(SUFFIXES))):
        if path.is_file():
            return path
    raise FeatvizError(f"there is no file {same.with_suffix('.png')} for the image {name}")


def images_below(folder: Path, root: Path) -> list[Path]:
    """Find all image files in a folder and its sub-folders, except hidden ones.

    Links to folders are followed, once for each folder: a folder that is reached in several ways
    has its own path, else that of the first link. Links to a parent of `folder` are not followed.

    Parameters
    ----------
    folder : Path
        A folder in `root`, or a link to one anywhere.
    root : Path

    Returns
    -------
    list of Path
        Sorted; below `folder`, also where a link leads out of it.

    Raises
    ------
    FeatvizError
        If a folder cannot be read, or a link is broken; see `visible`.
    """
    resolved = root.resolve()
    seen = {_identity(path) for path in (resolved, *resolved.parents, *folder.resolve().parents)}
    found: list[Path] = []
    linked = [folder]
    while linked:
        # All folders before the links in them, whose folders then keep their own paths.
        inside, linked = linked, []
        for current in inside:
            if _identity(current) in seen:
                continue
            seen.add(_identity(current))
            for path in visible(current):
                if is_image(path):
                    found.append(path)
                elif path.is_dir():
                    (linked if path.is_symlink() else inside).append(path)
        linked.sort()
    return sorted(found)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_broken(path: Path) -> bool:
    return path.is_symlink() and not path.exists()
