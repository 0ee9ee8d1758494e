"""What an export may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from gallery.build.images import Form, form
from gallery.notes import Notes
from gallery.stores.address_filter import Test, included


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
    notes : Notes
        Labels and favourites.
    """

    include: tuple[str, ...] = ()
    thumbnails_only: bool = False
    form: Form = field(default_factory=lambda: form("webp"))
    notes: Notes = field(default_factory=Notes)

    @property
    def wanted(self) -> Test:
        """What tells whether a unit at an address is taken in."""
        return included(self.include)
