"""Label files: labels, favorites and named lists of units, as a page exports them."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError

FORMAT, VERSION = "featviz-labels", 1
MAX_BYTES = 64 << 20
MAX_LABEL = 500  # UTF-16 code units, as in browser/state/label-file.js
MAX_NAME = 100  # of a list, likewise
FAVORITE_KEY = "favourite"  # the spelling in files
_SHOWN = 60  # characters of an address in a message


@dataclass(frozen=True)
class UnitLabel:
    """Label of a unit.

    Attributes
    ----------
    text : str
        May be empty.
    favorite : bool
    """

    text: str
    favorite: bool


@dataclass(frozen=True)
class Labels:
    """Content of a label file.

    Attributes
    ----------
    units : mapping of str to UnitLabel
        By address.
    lists : mapping of str to tuple of str
        Addresses of each named list, in its order.
    model : str or None
        Name of the model; None for any model.
    weights : str or None
        First digits of the fingerprint of the weights; None for any weights.
    """

    units: Mapping[str, UnitLabel] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    model: str | None = None
    weights: str | None = None

    def of_model(self, name: str, fingerprint: str) -> Labels:
        """Return the labels and lists that apply to a model; empty if they are of another model.

        Parameters
        ----------
        name, fingerprint : str
            Name and fingerprint of the model.
        """
        applies = self.model in {None, name} and fingerprint.startswith(self.weights or "")
        return self if applies else Labels()

    def remarks(self, models: Iterable[tuple[str, str, Container[str]]]) -> tuple[str, ...]:
        """Report labels and listed units that are not shown, in at most one line each.

        Parameters
        ----------
        models : iterable of (str, str, container of str)
            Name, fingerprint and units of each model that is shown.

        Returns
        -------
        tuple of str
            Empty if all are shown.
        """
        listed = tuple(dict.fromkeys(unit for units in self.lists.values() for unit in units))
        shown = [units for name, weights, units in models if self.of_model(name, weights) is self]
        if not shown and (self.units or self.lists):
            weights = "" if self.weights is None else f" with weights {self.weights[:8]}"
            model = _shortened(self.model or "a model")
            return (
                f"the labels are of {model}{weights}, which is not in this gallery: "
                f"none of {len(self.units):,} is shown"
                + (f", and none of {len(self.lists):,} lists" if self.lists else ""),
            )
        found = []
        for addresses, what in (
            (tuple(self.units), "labels are of units that are"),
            (listed, "listed units are"),
        ):
            missing = [
                address for address in addresses if not any(address in units for units in shown)
            ]
            if missing:
                found.append(
                    f"{len(missing):,} of {len(addresses):,} {what} not in this "
                    f"gallery, for example {_shortened(missing[0])}"
                )
        return tuple(found)

    def to_json(self) -> list[Any]:
        """Return the content as a JSON value, independent of the order in the file."""
        units = sorted((unit, label.text, label.favorite) for unit, label in self.units.items())
        return [self.model, self.weights, units, sorted(self.lists.items())]


def read_labels(path: str | Path) -> Labels:
    """Read a label file: ``{"format": "featviz-labels", "version": 1, "labels": {...}}``.

    The optional ``model`` is the name of a model, ``weights`` the first digits of its fingerprint,
    and ``lists`` has the addresses of each named list.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Labels

    Raises
    ------
    FeatvizError
        If the file cannot be read, or is not a label file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FeatvizError(
                f"{path} is larger than {MAX_BYTES >> 20} MB; it is not a label file"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FeatvizError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FeatvizError(f"{path} is not a label file: it is not valid JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FeatvizError(f'{path} is not a label file: its "format" is not "{FORMAT}"')
    if content.get("version") != VERSION:
        raise FeatvizError(
            f"{path} has labels of version {content.get('version')!r}; "
            f"this version of featviz reads version {VERSION}"
        )
    entries = content.get("labels")
    if not isinstance(entries, dict):
        raise FeatvizError(f'{path} is not a label file: it has no object "labels"')
    for name in ("model", "weights"):
        if not isinstance(content.get(name), str | None):
            raise FeatvizError(f'{path}: "{name}" is not a string')
    units = {address: _label(path, address, entry) for address, entry in entries.items()}
    lists = content.get("lists", {})
    if not isinstance(lists, dict):
        raise FeatvizError(f'{path}: "lists" is not an object')
    named = {name: _addresses(path, name, addresses) for name, addresses in lists.items()}
    return Labels(units, named, content.get("model"), content.get("weights"))


def _label(path: Path, address: str, entry: Any) -> UnitLabel:
    fields = entry if isinstance(entry, dict) else {}
    text, favorite = fields.get("label", ""), fields.get(FAVORITE_KEY, False)
    if not fields or not isinstance(text, str) or not isinstance(favorite, bool):
        raise FeatvizError(
            f'{path}: the entry of {address!r} is not {{"label": text, "{FAVORITE_KEY}": '
            "true or false}"
        )
    length = _length(text)
    if length > MAX_LABEL:
        raise FeatvizError(
            f"{path}: the label of {address!r} has {length:,} characters; the maximum is "
            f"{MAX_LABEL}"
        )
    return UnitLabel(text.strip(), favorite)


def _addresses(path: Path, name: str, units: Any) -> tuple[str, ...]:
    """Return the addresses of a named list, without repetitions."""
    if not name or name != name.strip() or _length(name) > MAX_NAME:
        raise FeatvizError(
            f"{path}: the name of a list has 1 to {MAX_NAME} characters, and no space at its "
            f"ends; got {_shortened(name)!r}"
        )
    if not isinstance(units, list) or not all(isinstance(unit, str) for unit in units):
        raise FeatvizError(f"{path}: the list {name!r} is not a list of addresses")
    return tuple(dict.fromkeys(units))


def _length(text: str) -> int:
    """Return the length in UTF-16 code units, as browsers count it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
