"""Export of stores as a static website, which needs no server and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featviz._util.lazy import lazy_names

if TYPE_CHECKING:
    from gallery.exporter import export

__all__ = [
    "export",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "export": "exporter",
    },
)
