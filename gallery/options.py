"""What an export may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gallery.include import Test, included
from gallery.notes import Note
from gallery.pictures import Form, form


@dataclass(frozen=True)
class Options:
    """What is written of the stores, and how.

    Attributes
    ----------
    include : tuple of str
        Selectors of the units; all if there are none.
    thumbnails_only : bool
        Write the sheets and no pictures.
    form : Form
        Of the pictures.
    notes : mapping
        Labels and favourites by address.
    """

    include: tuple[str, ...] = ()
    thumbnails_only: bool = False
    form: Form = field(default_factory=lambda: form("webp"))
    notes: Mapping[str, Note] = field(default_factory=dict)

    @property
    def wanted(self) -> Test:
        """What tells whether a unit at an address is taken in."""
        return included(self.include)
