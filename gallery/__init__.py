"""A static site of the pictures in stores, readable from a folder without server or network."""

from gallery.export import export

__all__ = ["export"]
