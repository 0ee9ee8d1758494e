"""The labels that readers gave units, from the file that a page exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError

FORMAT, VERSION = "featviz-labels", 1
MOST_BYTES = 64 << 20
LONGEST = 500  # characters of a label, as static/labels.js counts them: in UTF-16


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


Notes = Mapping[str, Note]
"""By address."""


def read_notes(path: str | Path) -> Notes:
    """Read a file of labels: ``{"format": "featviz-labels", "version": 1, "labels": {...}}``.

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
    return {address: _note(path, address, entry) for address, entry in labels.items()}


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
