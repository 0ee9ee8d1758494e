"""The image files that an export reads units on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from featviz._util.arguments import file_path, sequence
from featviz.errors import FeatvizError


@dataclass(frozen=True)
class InputImage:
    """An image file.

    Attributes
    ----------
    path : Path
    digest : str
        Of its content.
    """

    path: Path
    digest: str

    @property
    def name(self) -> str:
        """The name that the page shows."""
        return self.path.name


def input_images(images: str | Path | Iterable[str | Path]) -> tuple[InputImage, ...]:
    """Read the digests of image files; `check_images` decodes them.

    Parameters
    ----------
    images : str, Path, or iterable of these

    Returns
    -------
    tuple of InputImage

    Raises
    ------
    FeatvizError
        If a file cannot be read.
    """
    given = [images] if isinstance(images, str | Path) else images
    return tuple(_opened(each) for each in sequence("images", given, "image files"))


def check_images(images: Iterable[InputImage]) -> None:
    """Decode image files.

    Parameters
    ----------
    images : iterable of InputImage

    Raises
    ------
    FeatvizError
        If one is not an image; see `featviz._util.image_files.read_image`.
    """
    for image in images:
        # Exports without images do not import PyTorch.
        from featviz._util.image_files import check_image  # noqa: PLC0415

        check_image(image.path)


def _opened(image: str | Path) -> InputImage:
    path = file_path("an image", image)
    try:
        return InputImage(path, hashlib.sha256(path.read_bytes()).hexdigest())
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except OSError as error:
        raise FeatvizError(f"{path} cannot be read as an image ({error.strerror})") from error
