"""The build manifest: inputs and contents of an edition of a gallery.

Every data folder has one in ``reuse.json``, which is written last.
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
def code_digest() -> str:
    """Return a digest of everything that determines picture files: this package, the encoders."""
    encoders = [PIL.__version__, *(str(features.version(name)) for name in ("webp", "avif"))]
    folders = [path for path in sorted(_HERE.iterdir()) if path.is_dir() and path.name != "browser"]
    modules = [path.read_text(encoding="utf-8") for path in sorted(_HERE.glob("*.py"))]
    return digest_of(folders, "*.py", [np.__version__, *encoders, *modules])


@cache
def library_digest() -> str:
    """Return a digest of the package `featviz`, which determines metrics and sentences."""
    return digest_of([Path(featviz.__file__).parent], "*.py")


@cache
def static_digest() -> str:
    """Return a digest of scripts, styles and templates."""
    return digest_of([_HERE / "static", _HERE / "templates"], "*")


def digest_of(folders: Sequence[Path], pattern: str, texts: Sequence[str] = ()) -> str:
    """Return a digest of names and contents of files.

    Parameters
    ----------
    folders : sequence of Path
    pattern : str
        Of the file names.
    texts : sequence of str
        Included in the digest.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256("\0".join(texts).encode())
    for folder in folders:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"\0{path.relative_to(folder)}\0{content}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class BuildManifest:
    """Content of ``reuse.json``.

    Attributes
    ----------
    key : str
        Digest of the inputs; empty if the export had warnings, so that it is repeated.
    files, bytes : int
        Number and size of the files in the data folder, without ``reuse.json``.
    units, pictures, rows : int
        Number of units, picture files and picture rows.
    models : sequence of dict
        ``identity`` of each model, and the cache keys of its files.
    remarks : sequence of str
        See `gallery.exporter.Exported`.
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
        """Write the manifest.

        Parameters
        ----------
        data : Path
            Data folder.
        """
        text = json.dumps({"recipe": code_digest(), **vars(self)})
        (data / MANIFEST).write_text(text + "\n", encoding="ascii")


def measure(data: Path) -> tuple[int, int]:
    """Return the number and the total bytes of the files in a data folder, without ``reuse.json``.

    Parameters
    ----------
    data : Path
    """
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
    """Read the manifest of an edition.

    Parameters
    ----------
    data : Path
        Data folder.

    Returns
    -------
    BuildManifest or None
        None if it is missing, invalid, or written by other code.
    """
    try:
        if data.is_symlink():
            return None
        fields = json.loads((data / MANIFEST).read_text(encoding="ascii"))
        valid = isinstance(fields, dict) and fields.pop("recipe", None) == code_digest()
        manifest = BuildManifest(**fields) if valid else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if (
        manifest is None
        or not isinstance(manifest.key, str)
        or not isinstance(manifest.models, list)
    ):
        return None
    counts = (manifest.files, manifest.bytes, manifest.units, manifest.pictures, manifest.rows)
    if not all(type(count) is int for count in counts):
        return None
    if not isinstance(manifest.remarks, list) or not all(
        isinstance(r, str) for r in manifest.remarks
    ):
        return None
    return manifest if all(isinstance(model, dict) for model in manifest.models) else None
