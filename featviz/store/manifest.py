"""`store.json`: which model a store is of, and how each kind of result was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store.damage import DamagedError

FORMAT_VERSION = 1
NAME = "store.json"


@dataclass(frozen=True)
class Manifest:
    """What every shard of a store has in common.

    Attributes
    ----------
    model : str
        The name that loads the model.
    fingerprint : str
        Hexadecimal digest of its weights.
    load : dict
        The other arguments that load it: ``untrained`` and ``arch``.
    sites : tuple of str
        Module paths in forward order; they order the units.
    configuration : dict of dict
        For each kind of result, everything that decides what comes out.
    """

    model: str
    fingerprint: str
    load: dict[str, Any]
    sites: tuple[str, ...]
    configuration: dict[str, dict[str, Any]]

    def to_json(self) -> str:
        """Return the text of `store.json`."""
        return json.dumps({"format_version": FORMAT_VERSION} | asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes, where: Path) -> Manifest:
        """Read the text of `store.json`; `where` names it in an error.

        Raises
        ------
        DamagedError
            When it is no such text.
        FeatvizError
            When it is of a newer format.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"{where} is damaged: it is no JSON text") from error
        version = fields.get("format_version") if isinstance(fields, dict) else None
        if type(version) is not int:
            raise DamagedError(f"{where} is damaged: it has no format_version")
        if version != FORMAT_VERSION:
            raise FeatvizError(
                f"{where} is of store format {version} and this featviz reads format "
                f"{FORMAT_VERSION}; use the featviz that wrote it, or a newer one"
            )
        for name, expected in _TYPES.items():
            if type(fields.get(name)) is not expected:
                raise DamagedError(f"{where} is damaged: it has no {expected.__name__} {name!r}")
        if not all(type(site) is str for site in fields["sites"]):
            raise DamagedError(f"{where} is damaged: its 'sites' are not all text")
        if not all(type(value) is dict for value in fields["configuration"].values()):
            raise DamagedError(f"{where} is damaged: a 'configuration' is no dict")
        arguments = {name: fields[name] for name in _TYPES}
        return cls(**arguments | {"sites": tuple(fields["sites"])})

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the `store.json` of a folder.

        Raises
        ------
        FeatvizError
            When there is none, or it cannot be read.
        """
        path = folder / NAME
        try:
            return cls.from_json(path.read_bytes(), path)
        except FileNotFoundError as error:
            raise FeatvizError(f"{folder} is no featviz store: it has no {NAME}") from error
        except OSError as error:
            raise FeatvizError(f"cannot read {path}: {error.strerror or error}") from error

    def conflict(
        self, model: str, fingerprint: str, kind: str, configuration: Mapping[str, Any]
    ) -> str:
        """Phrase what keeps a job out of this store; empty if nothing does.

        The same weights under another name are the same model.
        """
        if self.fingerprint != fingerprint:
            there = {"model": self.model, "fingerprint": self.fingerprint}
            here = {"model": model, "fingerprint": fingerprint}
            return f"is of another model: {differences(there, here)}"
        stored, wanted = self.configuration.get(kind), json.loads(json.dumps(configuration))
        if stored is None or stored == wanted:
            return ""
        return f"has {kind} of another configuration: {differences(stored, wanted)}"

    def digest(self, kind: str) -> str:
        """Hash what decides the results of a kind.

        Returns
        -------
        str
            SHA-256, hexadecimal, of the canonical JSON text (sorted keys, no spaces, ASCII) of
            format version, fingerprint and the kind's configuration.
        """
        subject = {
            "configuration": self.configuration[kind],
            "fingerprint": self.fingerprint,
            "format_version": FORMAT_VERSION,
        }
        text = json.dumps(subject, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def digests(self, kind: str) -> set[str]:
        """Return the configuration hashes that a shard of a kind may carry.

        A kind without a configuration of its own (failures) carries the hash of the job that
        wrote it.
        """
        kinds = [kind] if kind in self.configuration else list(self.configuration)
        return {self.digest(each) for each in kinds}


_TYPES: dict[str, type] = {
    "model": str,
    "fingerprint": str,
    "load": dict,
    "sites": list,
    "configuration": dict,
}


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Phrase where two configurations differ: the first three keys, with both values.

    Returns
    -------
    str
        ``"steps is 512 there and 256 here"``, or an empty string when they are equal.
    """
    left, right = _flat(there), _flat(here)
    keys = [key for key in left | right if left.get(key, "absent") != right.get(key, "absent")]
    phrases = [
        f"{key} is {left.get(key, 'absent')} there and {right.get(key, 'absent')} here"
        for key in keys
    ]
    return ", ".join(phrases[:3])


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = json.dumps(item, ensure_ascii=False)
    return flat
