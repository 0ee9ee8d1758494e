"""Jobs that fill a store: open it, store results batch by batch, summarize."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from featviz._util.progress import Progress
from featviz.errors import FeatvizError
from featviz.store.columns import Columns
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter, set_aside_kind

Item = TypeVar("Item")


@dataclass(frozen=True)
class JobSummary:
    """What a job did.

    Attributes
    ----------
    stored : int
        Rows that this call computed and stored.
    done : int
        Rows that were in the store before.
    failures : dict of str to str
        Addresses that failed in this call, and the reasons.
    others : dict of str to int
        Other counts of the job, by name.
    skipped : dict of str to str
        Addresses that the job does not apply to, and the reasons.
    constants : dict of str to str
        Addresses rendered in this call whose activation was constant, and what that means; see
        `featviz.rendering.render.Rendering`.
    unreadable : tuple of str
        Names of the images of the dataset that were left out, since they cannot be read.
    """

    stored: int
    done: int
    failures: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()


class _LoadOptions(Protocol):
    def to_json(self) -> dict[str, Any]: ...


class ModelIdentity(Protocol):
    """What a store records about a model; a `featviz.VisionModel` has all of it."""

    @property
    def name(self) -> str:
        """Name by which the model was loaded."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of the weights."""
        ...

    @property
    def load_options(self) -> _LoadOptions:
        """The other arguments by which it was loaded; see `featviz.models.loading.options`."""
        ...

    @property
    def location(self) -> str | None:
        """Name with the absolute path of its file or folder, or None."""
        ...

    @property
    def sites(self) -> Mapping[str, object]:
        """Layers by path, in the order of a forward pass."""
        ...


def open_writer(
    model: ModelIdentity,
    store: str | Path,
    kind: str,
    configuration: Mapping[str, Any],
    force: bool = False,
) -> StoreWriter:
    """Open a store to add results of one kind about a model.

    Parameters
    ----------
    model : VisionModel
    store : str or Path
        The folder; made if it does not exist.
    kind, configuration, force
        See `featviz.store.writer.StoreWriter`.

    Returns
    -------
    StoreWriter

    Raises
    ------
    FeatvizError
        If the store is of another model or configuration, damaged, or cannot be written.
    """
    return StoreWriter(
        store,
        model=model.name,
        fingerprint=model.fingerprint,
        load=model.load_options.to_json(),
        sites=list(model.sites),
        kind=kind,
        configuration=configuration,
        force=force,
        location=model.location,
    )


def stored_configuration(store: str | Path, kind: str) -> dict[str, Any] | None:
    """Return the configuration with which rows of a kind are stored.

    Parameters
    ----------
    store : str or Path
    kind : str
        Kind of result.

    Returns
    -------
    dict or None
        None without a row of this kind. Opening a writer reports what is wrong with a store.
    """
    try:
        opened = Store(store)
        return opened.configuration.get(kind) if kind in opened.kinds else None
    except FeatvizError:
        return None


def store_batches(
    writer: StoreWriter,
    batches: Sequence[Sequence[Item]],
    compute: Callable[[Sequence[Item]], Columns],
    progress: Progress,
) -> int:
    """Compute rows batch by batch, and store each batch when it is computed.

    Parameters
    ----------
    writer : StoreWriter
    batches : sequence of sequences
        Items that are not in the store yet.
    compute : callable
        Returns the columns of the rows of a batch.
    progress : callable
        Called before the first batch and after each one with the number of finished items and
        their total.

    Returns
    -------
    int
        Number of items.
    """
    total, finished = sum(map(len, batches)), 0
    if total:
        progress(0, total)
    for batch in batches:
        writer.add(compute(batch))
        finished += len(batch)
        progress(finished, total)
    return total


def make_room(
    model: ModelIdentity,
    store: Store,
    kind: str,
    configuration: Mapping[str, Any],
    force: bool = False,
) -> None:
    """Refuse, or set aside, stored results of one kind that have another configuration.

    For results that are computed from other results in the same store, such as renders:
    `open_writer` would set the whole store aside.

    Parameters
    ----------
    model : VisionModel
    store : Store
        A folder, see `open_folder`.
    kind : str
        Kind of result that is about to be added.
    configuration : mapping
        Its configuration.
    force : bool
        Rename the shards of this kind if their configuration differs; see
        `featviz.store.writer.set_aside_kind`.

    Raises
    ------
    FeatvizError
        If the store is of another model, or has results of this kind with another configuration
        and `force` is False.
    """
    identity = (model.name, model.fingerprint, model.load_options.to_json())
    if conflict := store.manifest.conflict(*identity):
        raise FeatvizError(f"{store.path} {conflict}")
    if kind not in store.kinds:
        return  # its configuration binds nothing
    if conflict := store.manifest.conflict(*identity, kind, configuration):
        if not force:
            raise FeatvizError(f"{store.path} {conflict}; --force sets these {kind} aside")
        set_aside_kind(store.path, kind)


def open_folder(store: str | Path) -> Store:
    """Open a `store` that results can be added to: a folder, not a packed file.

    Returns
    -------
    Store

    Raises
    ------
    FeatvizError
        If there is no store, or it is a packed file.
    """
    if Path(store).is_file():
        raise FeatvizError(
            f"{store} is a packed file, which is read-only; results go into the folder of a store"
        )
    return Store(store)
