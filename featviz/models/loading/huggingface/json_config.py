"""`JsonConfig`: a JSON object in a file, with validated access to its entries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError


@dataclass(frozen=True)
class JsonConfig:
    """Entries of a JSON object, and the file for error messages.

    Attributes
    ----------
    path : Path
        The file.
    entries : dict
        The object, or one in it.
    parent : str
        Keys that lead to the object, each with a dot at its end; empty for that of the file.
    defaults : dict
        Values of entries that the object lacks.
    """

    path: Path
    entries: Mapping[str, Any]
    parent: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """Return an entry, its default, or None.

        Parameters
        ----------
        key : str

        Returns
        -------
        object
        """
        return self.entries.get(key, self.defaults.get(key))

    def with_defaults(self, defaults: Mapping[str, Any]) -> JsonConfig:
        """Return a copy whose missing entries have other values.

        Parameters
        ----------
        defaults : dict

        Returns
        -------
        JsonConfig
        """
        return replace(self, defaults=defaults)

    def inside(self, key: str) -> JsonConfig:
        """Return the object under a key.

        Parameters
        ----------
        key : str
            A missing entry and null count as an empty object.

        Returns
        -------
        JsonConfig

        Raises
        ------
        FeatvizError
            If the entry is anything else.
        """
        entries = self.get(key) or {}
        if not isinstance(entries, dict):
            raise self.wrong(key, "an object")
        return JsonConfig(self.path, entries, f"{self.parent}{key}.")

    def positive(self, key: str) -> int:
        """Return a positive integer.

        Parameters
        ----------
        key : str

        Returns
        -------
        int

        Raises
        ------
        FeatvizError
            If the entry is anything else.
        """
        value = self.get(key)
        if type(value) is not int or value < 1:
            raise self.wrong(key, "a positive integer")
        return value

    def number(self, key: str) -> float:
        """Return a finite number that is not negative.

        Parameters
        ----------
        key : str

        Returns
        -------
        float

        Raises
        ------
        FeatvizError
            If the entry is anything else.
        """
        value = self.get(key)
        if type(value) not in (int, float) or not 0 <= value < float("inf"):
            raise self.wrong(key, "a number >= 0")
        return float(value)

    def side(self, key: str) -> int:
        """Return the side of a square in pixels, given as a number or as height and width.

        Parameters
        ----------
        key : str

        Returns
        -------
        int

        Raises
        ------
        FeatvizError
            If the entry is anything else.
        """
        value = self.get(key)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            value = value[0]
        if type(value) is not int or value < 1:
            raise self.wrong(key, "the side of a square in pixels")
        return value

    def wrong(self, key: str, right: str) -> FeatvizError:
        """Make the error for an entry.

        Parameters
        ----------
        key : str
        right : str
            What would be right.

        Returns
        -------
        FeatvizError
        """
        return FeatvizError(f"{self.path}: {self.parent}{key} is {self.get(key)!r}, not {right}")


def read_json(path: Path) -> JsonConfig:
    """Read a JSON object from a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    JsonConfig

    Raises
    ------
    FeatvizError
        If the file cannot be read, or holds anything but a JSON object.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FeatvizError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(entries, dict):
        raise FeatvizError(f"{path} is not a JSON object")
    return JsonConfig(path, entries)
