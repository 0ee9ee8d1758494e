"""`store.json`: the model of a store, and the configuration of each kind of result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.store.errors import DamagedError

FORMAT_VERSION = 1
NAME = "store.json"


@dataclass(frozen=True)
class Manifest:
    """What all shards of a store have in common.

    Attributes
    ----------
    model : str
        The name that loads the model.
    fingerprint : str
        Hexadecimal digest of its weights.
    load : dict
        The other arguments that load it; see `featviz.models.loading.options.LoadOptions`.
    sites : tuple of str
        Module paths in forward order; they order the units.
    configuration : dict of dict
        For each kind of result, all settings that determine its values.
    location : str or None
        For a model from a file or folder: its name with the absolute path. It loads the model from
        any folder, until the model is moved.
    """

    model: str
    fingerprint: str
    load: dict[str, Any]
    sites: tuple[str, ...]
    configuration: dict[str, dict[str, Any]]
    location: str | None = None

    def to_json(self) -> str:
        """Return the text of ``store.json``."""
        fields = asdict(self)
        if self.location is None:
            del fields["location"]
        return json.dumps({"format_version": FORMAT_VERSION} | fields, indent=2)

    @classmethod
    def from_json(cls, text: str | bytes, where: Path) -> Manifest:
        """Parse the `text` of a ``store.json``; error messages name its path `where`.

        Returns
        -------
        Manifest

        Raises
        ------
        DamagedError
            If the text is invalid.
        FeatvizError
            If its format is newer.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"{where} is damaged: it is not JSON") from error
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
            raise DamagedError(f"{where} is damaged: its 'sites' are not all strings")
        if not all(type(value) is dict for value in fields["configuration"].values()):
            raise DamagedError(f"{where} is damaged: a 'configuration' is not a dict")
        saes = fields["load"].get("saes", {})
        if type(saes) is not dict or not all(type(each) is dict for each in saes.values()):
            raise DamagedError(f"{where} is damaged: its 'saes' are not dicts by name")
        arguments = {name: fields[name] for name in _TYPES}
        if type(fields.get("location", "")) is not str:
            raise DamagedError(f"{where} is damaged: its 'location' is not a string")
        arguments["location"] = fields.get("location")
        return cls(**arguments | {"sites": tuple(fields["sites"])})

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the ``store.json`` of a `folder`.

        Returns
        -------
        Manifest

        Raises
        ------
        FeatvizError
            If there is none, or it cannot be read.
        """
        path = folder / NAME
        try:
            return cls.from_json(path.read_bytes(), path)
        except FileNotFoundError as error:
            raise FeatvizError(f"{folder} is not a featviz store: it has no {NAME}") from error
        except OSError as error:
            raise FeatvizError(f"cannot read {path}: {error.strerror or error}") from error

    def conflict(
        self,
        model: str,
        fingerprint: str,
        load: Mapping[str, Any],
        kind: str = "",
        configuration: Mapping[str, Any] | None = None,
    ) -> str:
        """Explain why a job cannot add its results to this store.

        Parameters
        ----------
        model, fingerprint : str
            Name and fingerprint of the job's model. The same weights under another name are the
            same model.
        load : mapping
            The other arguments that load it. Only sparse autoencoders that the store has too
            count, by their digests and sites.
        kind : str
            Kind of result; by default none, so that only the model counts.
        configuration : mapping, optional
            Settings of the job. Of a model or dataset among them, such as the other one of a
            comparison, only the fingerprint counts.

        Returns
        -------
        str
            The end of a sentence about the store, such as ``"is of another model: ..."``; empty if
            nothing conflicts.
        """
        if self.fingerprint != fingerprint:
            there = {"model": self.model, "fingerprint": self.fingerprint}
            here = {"model": model, "fingerprint": fingerprint}
            return f"is of another model: {differences(there, here)}"
        if (there := _latents(self.load, load)) != (here := _latents(load, self.load)):
            return f"has latents of another sparse autoencoder: {differences(there, here)}"
        stored, wanted = self.configuration.get(kind), json.loads(json.dumps(configuration))
        if stored is None or _without_names(stored) == _without_names(wanted):
            return ""
        return f"has {kind} of another configuration: {differences(stored, wanted)}"

    def digest(self, kind: str) -> str:
        """Hash everything that determines the results of a `kind`.

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
        """Return the configuration hashes that shards of a `kind` may have.

        A shard of a kind without its own configuration (failures) has the hash of the job that
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


_NAMES = {"name", "model", "untrained", "arch", "image_size", "mean", "std", "model_args", "head"}
"""How a model or dataset is found, which its fingerprint does not depend on."""


def _latents(load: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return digest and site of the autoencoders whose name occurs in `other` too."""
    saes, names = load.get("saes", {}), other.get("saes", {})
    return {
        f"sae.{name}": {key: saes[name].get(key) for key in ("digest", "site")}
        for name in sorted(saes.keys() & names.keys())
    }


def _without_names(value: Any) -> Any:
    """Leave out names of what has a fingerprint, and paths of what has a digest: they may vary."""
    if not isinstance(value, Mapping):
        return value
    names = _NAMES if "fingerprint" in value else {"path"} if "digest" in value else set()
    return {key: _without_names(value[key]) for key in value.keys() - names}


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Describe how two configurations differ: the first three keys, with both values.

    Parameters
    ----------
    there, here : mapping
        The stored configuration and that of the job; nested keys are joined with points.

    Returns
    -------
    str
        ``"steps is 512 there and 256 here"``, or an empty string if they are equal.
    """
    stored, wanted = _flat(there), _flat(here)
    values = {
        key: (stored.get(key, "absent"), wanted.get(key, "absent")) for key in stored | wanted
    }
    differing = [
        f"{key} is {old} there and {new} here" for key, (old, new) in values.items() if old != new
    ]
    return ", ".join(differing[:3])


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = json.dumps(item, ensure_ascii=False)
    return flat
