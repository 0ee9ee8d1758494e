"""What every job that fills a store shares: opening it, storing batch by batch, the summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from featviz._util.progress import Progress
from featviz.errors import FeatvizError
from featviz.store.columns import Columns
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter, retire

Item = TypeVar("Item")


@dataclass(frozen=True)
class JobSummary:
    """What a job did.

    Attributes
    ----------
    stored : int
        Rows that this call computed and stored.
    done : int
        Rows that the store held before.
    failures : dict of str to str
        The addresses that failed in this call, and why.
    others : dict of str to int
        Counts of whatever else the job stored or found, by name.
    """

    stored: int
    done: int
    failures: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)


class ModelIdentity(Protocol):
    """What a store records of a model; `featviz.VisionModel` has it."""

    @property
    def name(self) -> str:
        """Name by which the model was loaded."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of the weights."""
        ...

    @property
    def untrained(self) -> bool:
        """Whether the weights are random."""
        ...

    @property
    def arch(self) -> str | None:
        """Architecture of a file of weights."""
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
    """Open a store to add results of one kind about a model; see `StoreWriter`.

    Raises
    ------
    FeatvizError
        If the store is of another model or configuration, damaged, or cannot be written.
    """
    return StoreWriter(
        store,
        model=model.name,
        fingerprint=model.fingerprint,
        load={"untrained": model.untrained, "arch": model.arch},
        sites=list(model.sites),
        kind=kind,
        configuration=configuration,
        force=force,
    )


def store_batches(
    writer: StoreWriter,
    batches: Sequence[Sequence[Item]],
    compute: Callable[[Sequence[Item]], Columns],
    progress: Progress,
) -> int:
    """Compute rows batch by batch, and store each batch as soon as it is computed.

    Parameters
    ----------
    writer : StoreWriter
    batches : sequence of sequences
        What is not in the store yet.
    compute : callable
        From a batch to the columns of its rows.
    progress : callable
        Called before the first batch and after each with the number of items finished and in all.

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
    """Refuse results of another configuration beside the pictures they are of, or retire them.

    For kinds that are computed from what the store holds: `open_writer` would set the whole store
    aside, pictures and all.

    Parameters
    ----------
    force : bool
        Rename the shards of this kind that are in the way; see `featviz.store.writer.retire`.

    Raises
    ------
    FeatvizError
        If the store is of another model, or has results of this kind of another configuration and
        `force` is not given.
    """
    identity = (model.name, model.fingerprint)
    if conflict := store.manifest.conflict(*identity, "", {}):
        raise FeatvizError(f"{store.path} {conflict}")
    if conflict := store.manifest.conflict(*identity, kind, configuration):
        if not force:
            raise FeatvizError(f"{store.path} {conflict}; --force sets these {kind} aside")
        retire(store.path, kind)


def open_folder(store: str | Path) -> Store:
    """Open a store that results can be added to.

    Raises
    ------
    FeatvizError
        If there is no store, or it is a packed file.
    """
    if Path(store).is_file():
        raise FeatvizError(f"results go into the folder of a store, and {store} is a packed file")
    return Store(store)
