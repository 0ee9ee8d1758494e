"""`StoreWriter`: add results to a store folder, durably, and resume after a crash."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from featviz._util.file_locks import Presence
from featviz._util.files import (
    locked,
    make_folder,
    remove_leftovers,
    set_aside,
    sync_folder,
    write,
    writing,
)
from featviz.errors import FeatvizError
from featviz.store.columns import Columns
from featviz.store.errors import DamagedError
from featviz.store.manifest import NAME, Manifest
from featviz.store.shards import FOLDER, Shards, encode, kind_of, shard_name

ADVICE = "; choose another -o, or set it aside with --force"
REPLACED = ".replaced"
"""Suffix of shards that were set aside because their configuration was replaced."""


SYSTEM_FILES = (".DS_Store", ".localized", "._", "desktop.ini", "Thumbs.db")
"""How names of files begin that macOS and Windows put into folders."""


class StoreWriter:
    """A store folder, opened to add results of one kind; made if it does not exist.

    Any number of processes may write to a store at once. After a crash, opening it again resumes
    the job: see `done`. A configuration binds later jobs once there is a shard of its kind, or
    while another process writes to the store; before that, another configuration replaces it. A
    model binds them likewise, once there is a shard of any kind.

    Parameters
    ----------
    path : str or Path
        The folder. Missing parents are made.
    model, fingerprint, load, sites
        The model; see `featviz.Store`.
    kind : str
        Kind of result that the job adds, such as ``"renders"``.
    configuration : mapping
        All settings that determine the values of this kind, JSON-compatible.
    force : bool
        Rename conflicting files instead of raising: a store of another model or configuration to
        ``STORE.1``, a damaged shard to ``NAME.damaged``. Nothing is deleted.
    location : str, optional
        Name of the model with its absolute path, if it is from a file or folder.

    Attributes
    ----------
    path : Path
    kind : str
    done : frozenset of str
        Addresses of this kind that are stored already, in verified shards.

    Raises
    ------
    FeatvizError
        If the folder is not a store, has results of another model or configuration, a shard of
        this kind (or of failures) is damaged, or the operating system refuses.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        model: str,
        fingerprint: str,
        load: dict[str, Any],
        sites: Sequence[str],
        kind: str,
        configuration: Mapping[str, Any],
        force: bool = False,
        location: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.kind = kind
        # As JSON returns them, so that tuples equal lists.
        configurations = {kind: json.loads(json.dumps(configuration))}
        load = json.loads(json.dumps(load))
        self._manifest = Manifest(model, fingerprint, load, tuple(sites), configurations, location)
        self._folder = self.path / FOLDER
        self._refuse_other_folders()
        if force:
            self._set_aside_conflicting_store()
        self._presence = self._write_manifest()
        remove_leftovers(self.path, re.escape(NAME))
        remove_leftovers(self._folder, r".*\.h5")
        self.done = frozenset(self._validate(force))

    def add(self, values: Columns, kind: str | None = None) -> None:
        """Write rows as one shard, durably: after this returns they survive a crash.

        Parameters
        ----------
        values : mapping of str to array or sequence of str
            The columns, all of one length, among them ``address``. Renders: ``images``
            (N, D, H, W, 3) bytes, ``activation`` (N, D) and ``trajectory`` (N, D, T) in float32;
            failures: ``error``. See `featviz.store.schema.SCHEMAS`.
        kind : str, optional
            Another kind of the same job, such as ``"failures"``.

        Raises
        ------
        FeatvizError
            If the operating system refuses, or another job has replaced the store or the
            configuration of this one. Rows that were added before are kept.
        ValueError
            If the columns do not fit the schema of the kind.
        """
        kind = kind or self.kind
        data = encode(kind, values, self._manifest, self._manifest.digest(self.kind))
        with locked(self.path):  # no other job replaces the configuration between check and write
            self._check_configuration()
            write(self._folder / shard_name(kind, data), data)

    def _refuse_other_folders(self) -> None:
        """Raise if the folder exists, has files of others and is not a store."""
        if not os.path.lexists(self.path) or (self.path / NAME).exists():
            return
        if not self.path.is_dir():
            raise FeatvizError(f"{self.path} is not a folder; choose another -o")
        with writing(self.path):
            names = {path.name for path in self.path.iterdir()} - {FOLDER}
        others = sorted(name for name in names if not name.startswith((f"{NAME}.", *SYSTEM_FILES)))
        if others:
            raise FeatvizError(
                f"{self.path} is not a featviz store and contains {others[0]}; choose another -o"
            )

    def _write_manifest(self) -> Presence:
        """Add this job's configuration to the manifest, and show other processes that it runs."""
        if (self.path / NAME).exists():
            # Checked before anything is written, including a lock.
            self._check(Manifest.read(self.path))
        make_folder(self._folder)
        with locked(self.path):
            with writing(self._folder):
                presence = Presence.of(self._folder)
            wanted = self._manifest
            if (self.path / NAME).exists():
                stored = Manifest.read(self.path)
                self._check(stored, presence)
                wanted = self._merged(stored)
                if wanted == stored:
                    self._manifest = stored
                    return presence
            write(self.path / NAME, wanted.to_json().encode())
            with writing(self.path):
                sync_folder(self.path.parent)
            self._manifest = wanted
        return presence

    def _merged(self, stored: Manifest) -> Manifest:
        """Return a stored manifest with this job's configuration, and set orphaned shards aside."""
        if self._is_of_other_model(stored):
            return self._manifest
        own, conflict = self._manifest, self._conflict(stored)
        # The stored names of models and datasets stay: the shards have a digest of them.
        first, second = (stored, own) if conflict else (own, stored)
        merged = replace(stored, configuration=first.configuration | second.configuration)
        if own.location is not None and _without_saes(own.load) == _without_saes(stored.load):
            # The model may have been moved since.
            merged = replace(merged, location=own.location)
        if saes := stored.load.get("saes", {}) | own.load.get("saes", {}):
            new = tuple(site for site in own.sites if site not in stored.sites)
            merged = replace(merged, load=stored.load | {"saes": saes}, sites=stored.sites + new)
        if conflict:
            for part in Shards(self.path, merged).orphans():
                set_aside(part, REPLACED)
        return merged

    def _check(self, stored: Manifest, presence: Presence | None = None) -> None:
        """Raise if a stored manifest has another model or configuration, and it binds this job."""
        conflict = self._conflict(stored)
        if conflict and (self._binds(stored) or (presence and not presence.is_alone())):
            raise FeatvizError(f"{self.path} {conflict}{ADVICE}")

    def _binds(self, stored: Manifest) -> bool:
        """Whether the store has results of the stored model and latents, or of this kind."""
        shards = Shards(self.path, stored)
        if self._is_of_other_model(stored):
            return not shards.is_empty()
        return bool(shards.parts(self.kind))

    def _check_configuration(self) -> None:
        """Raise if another job has replaced the manifest since this one began."""
        stored, own = Manifest.read(self.path), self._manifest
        configuration = stored.configuration.get(self.kind)
        if (stored.fingerprint, configuration) != (
            own.fingerprint,
            own.configuration[self.kind],
        ):
            raise FeatvizError(
                f"another job has replaced the configuration of {self.kind} in {self.path} while "
                "this one ran; run it again with another -o"
            )

    def _is_of_other_model(self, stored: Manifest) -> bool:
        """Whether a stored manifest is of another model, or of other latents of one name."""
        own = self._manifest
        return bool(stored.conflict(own.model, own.fingerprint, own.load))

    def _conflict(self, stored: Manifest) -> str:
        own, kind = self._manifest, self.kind
        configuration = own.configuration[kind]
        return stored.conflict(own.model, own.fingerprint, own.load, kind, configuration)

    def _set_aside_conflicting_store(self) -> None:
        if not (self.path / NAME).exists():
            return
        try:
            conflicts = bool(self._conflict(Manifest.read(self.path)))
        except DamagedError:
            if not (self.path / FOLDER).is_dir():  # the `store.json` of some other program
                raise
            conflicts = True
        if conflicts:
            set_aside(self.path)

    def _validate(self, force: bool) -> set[str]:
        """Verify the shards of this kind and of failures, and return the stored addresses."""
        shards = Shards(self.path, self._manifest)
        done: set[str] = set()
        for part in shards.files():
            try:
                kind = kind_of(part)
                if kind in (self.kind, "failures"):
                    addresses = shards.check(part)
                    done |= set(addresses) if kind == self.kind else set()
            except DamagedError as error:
                if not force:
                    raise FeatvizError(
                        f"{error}; delete it or run with --force, and its units are computed again"
                    ) from error
                set_aside(part, ".damaged")
        return done


def _without_saes(load: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in load.items() if name != "saes"}


def set_aside_kind(store: str | Path, kind: str) -> list[Path]:
    """Rename the shards of a kind to ``NAME.replaced``, and remove its configuration.

    The shards of its failures, and others without a configuration of their own, are renamed too.

    All other kinds are kept, so that results computed from renders can be computed with other
    settings without rendering again. Nothing is deleted.

    Parameters
    ----------
    store : str or Path
        A folder.
    kind : str
        Kind of result.

    Returns
    -------
    list of Path
        The new paths.

    Raises
    ------
    FeatvizError
        If there is no store, it is damaged, or the operating system refuses.
    """
    folder = Path(store)
    with locked(folder):
        manifest = Manifest.read(folder)
        kept = {name: each for name, each in manifest.configuration.items() if name != kind}
        remaining = replace(manifest, configuration=kept)
        shards = Shards(folder, remaining)
        parts = dict.fromkeys([*shards.parts(kind), *shards.orphans()])
        renamed = [set_aside(part, REPLACED) for part in parts]
        write(folder / NAME, remaining.to_json().encode())
    return renamed
