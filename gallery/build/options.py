"""Options of an export."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from gallery.build.images import ImageFormat, image_format
from gallery.input_images.files import InputImage
from gallery.stores.address_filter import Predicate, address_filter
from gallery.units.label_file import Labels


@dataclass(frozen=True)
class Options:
    """Options of an export.

    Attributes
    ----------
    include : tuple of str
        Selectors of the units to show; empty for all.
    thumbnails_only : bool
        Leave out the full-size pictures.
    image_format : ImageFormat
        Of the full-size pictures.
    labels : Labels
        Labels and favorites to show.
    images : tuple of InputImage
        Images to read the units on.
    """

    include: tuple[str, ...] = ()
    thumbnails_only: bool = False
    image_format: ImageFormat = field(default_factory=lambda: image_format("webp"))
    labels: Labels = field(default_factory=Labels)
    images: tuple[InputImage, ...] = ()

    @cached_property
    def is_included(self) -> Predicate:
        """Predicate of the addresses to show."""
        return address_filter(self.include)
