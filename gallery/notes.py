"""The labels that readers gave units, from the file that a page exports."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError

FORMAT, VERSION = "featviz-labels", 1
MOST_BYTES = 64 << 20
LONGEST_NAME = 60  # characters of an address that is told
LONGEST = 500  # characters of a label, as browser/state/label-file.js counts them: in UTF-16


@dataclass(frozen=True)
class Note:
    """What a reader noted of a unit.

    Attributes
    ----------
    label : str
        May be empty.
    favourite : bool
    """

    label: str
    favourite: bool


@dataclass(frozen=True)
class Notes:
    """What a reader noted of the units of a model, or of units of any.

    Attributes
    ----------
    of : mapping of str to Note
        By address.
    model : str or None
        The name of the model, for people.
    weights : str or None
        The first digits of its fingerprint.
    """

    of: Mapping[str, Note] = field(default_factory=dict)
    model: str | None = None
    weights: str | None = None

    def known(self, model: str, weights: str) -> Mapping[str, Note]:
        """Return the notes on units of a model: all, or none where they are of another."""
        same = self.model in {None, model} and weights.startswith(self.weights or "")
        return self.of if same else {}

    def remarks(self, models: Iterable[tuple[str, str, Container[str]]]) -> tuple[str, ...]:
        """Tell in at most one line which notes are of no unit that is shown.

        Parameters
        ----------
        models : iterable of (str, str, container of str)
            Name, weights and units of each model that is.
        """
        shown = [(self.known(name, weights), units) for name, weights, units in models]
        if self.of and not any(notes for notes, _ in shown):
            weights = "" if self.weights is None else f" with weights {self.weights[:8]}"
            model = _shortened(self.model or "a model")
            return (
                f"the labels are of {model}{weights}, which is not in this gallery: "
                f"none of {len(self.of):,} is shown",
            )
        lost = [a for a in self.of if not any(a in notes and a in units for notes, units in shown)]
        if not lost:
            return ()
        return (
            f"{len(lost):,} of {len(self.of):,} labels name no unit of this gallery, such as "
            f"{_shortened(lost[0])}",
        )

    def to_json(self) -> list[Any]:
        """Return everything as JSON, in an order of its own."""
        of = sorted((unit, note.label, note.favourite) for unit, note in self.of.items())
        return [self.model, self.weights, of]


def read_notes(path: str | Path) -> Notes:
    """Read a file of labels: ``{"format": "featviz-labels", "version": 1, "labels": {...}}``.

    It may have the name of the ``model`` and the first digits of its ``weights``.

    Raises
    ------
    FeatvizError
        Naming the file and what is wrong with it.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            most = f"{MOST_BYTES >> 20} MB"
            raise FeatvizError(f"{path} is larger than {most}; it is no file of labels")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FeatvizError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FeatvizError(f"{path} is no JSON text, so it holds no labels") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FeatvizError(f'{path} holds no labels: its "format" is not "{FORMAT}"')
    if content.get("version") != VERSION:
        raise FeatvizError(
            f"{path} holds labels of version {content.get('version')!r}; "
            f"this featviz reads version {VERSION}"
        )
    labels = content.get("labels")
    if not isinstance(labels, dict):
        raise FeatvizError(f'{path} holds no labels: it has no object "labels"')
    for name in ("model", "weights"):
        if not isinstance(content.get(name), str | None):
            raise FeatvizError(f'{path}: its "{name}" is no text')
    of = {address: _note(path, address, entry) for address, entry in labels.items()}
    return Notes(of, content.get("model"), content.get("weights"))


def _note(path: Path, address: str, entry: Any) -> Note:
    known = entry if isinstance(entry, dict) else {}
    label, favourite = known.get("label", ""), known.get("favourite", False)
    if not known or not isinstance(label, str) or not isinstance(favourite, bool):
        raise FeatvizError(
            f'{path}: the entry of {address!r} is not {{"label": text, "favourite": true or false}}'
        )
    length = len(label.encode("utf-16-le", "surrogatepass")) // 2
    if length > LONGEST:
        raise FeatvizError(
            f"{path}: the label of {address!r} has {length:,} characters; {LONGEST} are the most"
        )
    return Note(label.strip(), favourite)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}..."
