"""`StoreWriter`: adds shards to a store folder, one at a time, each durable when `add` returns."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from featviz.store.damage import DamagedError
from featviz.store.manifest import NAME, Manifest
from featviz.store.shards import FOLDER, Shards, encode, kind_of, shard_name

ADVICE = "; choose another -o, or set it aside with --force"


class StoreWriter:
    """A store folder, opened to add results of one kind; made if it is not there.

    Any number of processes may write to a store at once. Opening it again after a crash goes on
    where it ended.

    Parameters
    ----------
    path : str or Path
        The folder. Missing parents are made.
    model, fingerprint, load, sites
        Which model it is; see `Store`.
    kind : str
        What the job makes, for instance ``"renders"``.
    configuration : mapping
        Everything that decides the values of this kind, in what JSON has.
    force : bool
        Rename what is in the way instead of refusing: a store of another model or configuration
        to ``STORE.1``, a damaged shard to ``NAME.damaged``. Nothing is deleted.

    Attributes
    ----------
    path : Path
    kind : str
    done : frozenset of str
        The addresses of this kind that are there, in shards whose every byte was compared.

    Raises
    ------
    FeatvizError
        When the folder is something else, holds results of another model or configuration, a
        shard of this kind (or of failures) is damaged, or the operating system refuses.
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
    ) -> None:
        self.path = Path(path)
        self.kind = kind
        # As JSON will give them back, so that tuples equal lists.
        mine = {kind: json.loads(json.dumps(configuration))}
        load = json.loads(json.dumps(load))
        self._manifest = Manifest(model, fingerprint, load, tuple(sites), mine)
        self._refuse_other_folders()
        if force:
            self._set_aside_store()
        self._enrol()
        self._folder = self.path / FOLDER
        make_folder(self._folder)
        remove_leftovers(self.path, re.escape(NAME))
        remove_leftovers(self._folder, r".*\.h5")
        self.done = frozenset(self._validate(force))

    def add(self, values: Columns, kind: str | None = None) -> None:
        """Write rows as one shard; when this returns they survive a crash.

        Parameters
        ----------
        values : mapping of str to array or sequence of str
            The columns, all of one length, among them ``address``. Of renders: ``images``
            (N, D, H, W, 3) bytes, ``activation`` (N, D) and ``trajectory`` (N, D, T) in float32;
            of failures: ``error``.
        kind : str, optional
            For rows of another kind that this job makes, ``"failures"``.

        Raises
        ------
        FeatvizError
            When the operating system refuses. What was added before stays.
        ValueError
            When the columns are not those of the kind.
        """
        kind = kind or self.kind
        data = encode(kind, values, self._manifest, self._manifest.digest(self.kind))
        write(self._folder / shard_name(kind, data), data)

    def _refuse_other_folders(self) -> None:
        """Do not settle in a folder that is used for something else."""
        if not os.path.lexists(self.path) or (self.path / NAME).exists():
            return
        if not self.path.is_dir():
            raise FeatvizError(f"{self.path} is no folder; choose another -o")
        with writing(self.path):
            names = {path.name for path in self.path.iterdir()} - {FOLDER}
        strangers = sorted(name for name in names if not name.startswith(f"{NAME}."))
        if strangers:
            raise FeatvizError(
                f"{self.path} is no featviz store and holds {strangers[0]}; choose another -o"
            )

    def _enrol(self) -> None:
        """Put this job's configuration into the manifest, beside those of other kinds."""
        if (self.path / NAME).exists():
            # Refused before anything is written, a lock included.
            self._join(Manifest.read(self.path))
        make_folder(self.path)
        with locked(self.path):
            wanted = self._manifest
            if (self.path / NAME).exists():
                stored = self._join(Manifest.read(self.path))
                wanted = replace(
                    stored, configuration=stored.configuration | self._manifest.configuration
                )
                if wanted == stored:
                    self._manifest = stored
                    return
            write(self.path / NAME, wanted.to_json().encode())
            with writing(self.path):
                sync_folder(self.path.parent)
            self._manifest = wanted

    def _join(self, stored: Manifest) -> Manifest:
        if conflict := self._conflict(stored):
            raise FeatvizError(f"{self.path} {conflict}{ADVICE}")
        return stored

    def _conflict(self, stored: Manifest) -> str:
        mine = self._manifest
        return stored.conflict(
            mine.model, mine.fingerprint, self.kind, mine.configuration[self.kind]
        )

    def _set_aside_store(self) -> None:
        if not (self.path / NAME).exists():
            return
        try:
            in_the_way = bool(self._conflict(Manifest.read(self.path)))
        except DamagedError:
            if not (self.path / FOLDER).is_dir():  # some other program's `store.json`
                raise
            in_the_way = True
        if in_the_way:
            set_aside(self.path)

    def _validate(self, force: bool) -> set[str]:
        """Read the addresses of all shards that matter here, comparing every byte."""
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
                        f"{error}; delete it or run with --force, and its units are made anew"
                    ) from error
                set_aside(part, ".damaged")
        return done


def retire(store: str | Path, kind: str) -> list[Path]:
    """Rename the shards of a kind to ``NAME.replaced``, and forget how they were made.

    All other kinds stay as they are, so that what is computed from pictures can be computed in
    another way without making the pictures anew. Nothing is deleted.

    Parameters
    ----------
    store : str or Path
        A folder.

    Returns
    -------
    list of Path
        The new names.

    Raises
    ------
    FeatvizError
        When there is no store, it is damaged, or the operating system refuses.
    """
    folder = Path(store)
    with locked(folder):
        manifest = Manifest.read(folder)
        renamed = [set_aside(part, ".replaced") for part in Shards(folder, manifest).parts(kind)]
        kept = {name: told for name, told in manifest.configuration.items() if name != kind}
        write(folder / NAME, replace(manifest, configuration=kept).to_json().encode())
    return renamed
