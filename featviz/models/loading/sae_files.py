"""`SaeFile`: where the latents of a model come from, as options and stores name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from featviz._util.arguments import described, file_path
from featviz.errors import FeatvizError

LATENTS = "sae."
"""Begins the path of the latents of a sparse autoencoder, before its name."""

_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]*")
_RESERVED = ("qk", "qk_mode")
"""Ends of the paths of attention logits, which addresses are parsed by."""


@dataclass(frozen=True)
class SaeFile:
    """A sparse autoencoder on disk.

    Attributes
    ----------
    path : str
        Its folder or the file of its weights.
    site : str or None
        The site whose vectors it reads; None for that of the files.
    digest : str or None
        `SparseAutoencoder.digest` of the one that is meant; None for any.
    facts : dict
        What the files lack: the other arguments of `featviz.load_sae`, by name. JSON-compatible.
    """

    path: str
    site: str | None = None
    digest: str | None = None
    facts: dict[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a store: the fields, without facts if there are none."""
        return {name: value for name, value in vars(self).items() if value != {}}


def parse_sae(text: str) -> tuple[str, SaeFile]:
    """Parse a sparse autoencoder on the command line.

    Parameters
    ----------
    text : str
        ``NAME=PATH`` or ``NAME=PATH@SITE``. A path that exists may contain ``@``.

    Returns
    -------
    (str, SaeFile)
        Its name in addresses, and the file.

    Raises
    ------
    FeatvizError
        If the text has another form.
    """
    name, _, rest = text.partition("=")
    path, site = split_site(rest)
    if not path or site == "":
        raise FeatvizError(f"expected NAME=PATH or NAME=PATH@SITE, got {text!r}")
    return check_sae_name(name), SaeFile(path, site)


def split_site(text: str) -> tuple[str, str | None]:
    """Split ``PATH`` or ``PATH@SITE``; a `text` that is an existing path may contain ``@``."""
    path, at, site = text.rpartition("@")
    return (text, None) if not at or _exists(text) else (path, site)


def check_sae_name(name: Any) -> str:
    """Return the name of a sparse autoencoder in addresses, ``sae.NAME:1234``.

    Raises
    ------
    FeatvizError
        If it is anything but letters of ASCII, digits, ``_`` and, not first, ``-``; or ``qk`` or
        ``qk_mode``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        raise FeatvizError(
            "the name of a sparse autoencoder (--sae NAME=PATH) must be letters, digits, '_' and "
            f"'-' (not first), and not 'qk' or 'qk_mode'; got {name!r}"
        )
    return name


def sae_files(given: Any) -> dict[str, SaeFile]:
    """Validate the option ``saes``.

    Parameters
    ----------
    given : mapping of str to path, SaeFile, or mapping of the fields of one

    Returns
    -------
    dict of str to SaeFile

    Raises
    ------
    FeatvizError
        If it is anything else, or a name is not one of letters, digits, ``_`` and ``-``.
    """
    if not isinstance(given, Mapping):
        raise FeatvizError(f"saes (--sae) must be a dict of paths by name, got {described(given)}")
    return {check_sae_name(name): _sae_file(name, each) for name, each in given.items()}


def _sae_file(name: str, given: Any) -> SaeFile:
    if isinstance(given, SaeFile):
        return given
    if isinstance(given, str | PathLike):
        return SaeFile(str(file_path(f"saes[{name!r}]", given)))
    try:
        found = SaeFile(**given)
    except TypeError:
        found = None
    texts = () if found is None else (found.path, found.site, found.digest)
    if (
        found is None
        or not all(isinstance(each, str | None) for each in texts)
        or not isinstance(found.facts, Mapping)
    ):
        raise FeatvizError(f"saes[{name!r}] must be a path, got {described(given)}")
    return found


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for the file system, or with a zero byte
        return False
