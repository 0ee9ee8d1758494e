"""What an edition of a gallery says of itself: from what it was made, and what it holds.

Every data folder holds ``reuse.json``, written last.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import features

import featviz

MANIFEST = "reuse.json"
_HERE = Path(__file__).parents[1]


@cache
def recipe() -> str:
    """Return a digest of all that decides the bytes of pictures: this package and the encoders."""
    encoders = [PIL.__version__, *(str(features.version(name)) for name in ("webp", "avif"))]
    return digest_of([_HERE], "*.py", [np.__version__, *encoders])


@cache
def wording() -> str:
    """Return a digest of what decides the numbers and sentences beside pictures: the engine."""
    return digest_of([Path(featviz.__file__).parent], "*.py")


@cache
def site_files() -> str:
    """Return a digest of the files that are copied into a gallery: scripts, styles, templates."""
    return digest_of([_HERE / "static", _HERE / "templates"], "*")


def digest_of(folders: Sequence[Path], pattern: str, texts: Sequence[str] = ()) -> str:
    """Return a digest of some texts, and of names and contents of all files of a pattern."""
    digest = hashlib.sha256("\0".join(texts).encode())
    for folder in folders:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"\0{path.relative_to(folder)}\0{content}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class BuildManifest:
    """What ``reuse.json`` says of an edition.

    Attributes
    ----------
    key : str
        Another one when an export would write anything else.
    files, bytes : int
        What the data folder holds, ``reuse.json`` left out.
    units, pictures, rows : int
    models : sequence of dict
        Of each model: ``identity``, and the key of each file of each of `PARTS`.
    remarks : sequence of str
        What the export remarked.
    """

    key: str
    files: int
    bytes: int
    units: int
    pictures: int
    rows: int
    models: Sequence[Mapping[str, Any]]
    remarks: Sequence[str]

    def write(self, data: Path) -> None:
        """Write it into a data folder."""
        text = json.dumps({"recipe": recipe(), **vars(self)})
        (data / MANIFEST).write_text(text + "\n", encoding="ascii")


def measure(data: Path) -> tuple[int, int]:
    """Count the files and the bytes in a data folder, ``reuse.json`` left out."""
    files = size = 0
    folders = [str(data)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name != MANIFEST:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_size
    return files, size


def read_manifest(data: Path) -> BuildManifest | None:
    """Read the record of an edition; None if there is none, or other code wrote it."""
    try:
        if data.is_symlink():
            return None
        fields = json.loads((data / MANIFEST).read_text(encoding="ascii"))
        sound = isinstance(fields, dict) and fields.pop("recipe", None) == recipe()
        record = BuildManifest(**fields) if sound else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if record is None or not isinstance(record.key, str) or not isinstance(record.models, list):
        return None
    counts = (record.files, record.bytes, record.units, record.pictures, record.rows)
    if not all(type(count) is int for count in counts):
        return None
    if not isinstance(record.remarks, list) or not all(isinstance(r, str) for r in record.remarks):
        return None
    return record if all(isinstance(model, dict) for model in record.models) else None
