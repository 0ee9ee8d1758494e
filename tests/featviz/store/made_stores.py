"""Small stores whose values are generated from their addresses, so that any row can be checked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.store.columns import Row
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter

SITES = ("patch_embed", "blocks.0.mlp.fc1", "blocks.2.mlp.fc1", "blocks.10.mlp.fc1", "head")
CONFIGURATION: dict[str, Any] = {"steps": 4, "samples": 2, "param": {"name": "fourier", "decay": 1}}
FINGERPRINT = "5eed" * 16
BATCHES = (
    ("blocks.2.mlp.fc1:10", "blocks.2.mlp.fc1:9"),
    ("blocks.10.mlp.fc1:0", "patch_embed:3"),
    ("blocks.0.mlp.fc1:1@cls", "blocks.0.mlp.fc1:1@12"),
)
FAILED = ("head:1", "head:0")


def writer(path: Path, **changes: Any) -> StoreWriter:
    """Open a writer of the test store, with some of its arguments changed."""
    arguments: dict[str, Any] = {
        "model": "cueworld/vit",
        "fingerprint": FINGERPRINT,
        "load": {"untrained": False, "arch": None},
        "sites": SITES,
        "kind": "renders",
        "configuration": CONFIGURATION,
    }
    return StoreWriter(path, **arguments | changes)


def images(address: str) -> NDArray[np.uint8]:
    """Return two images of 5 x 7 pixels."""
    return _generator(address).integers(0, 256, (2, 5, 7, 3), np.uint8)


def activation(address: str) -> NDArray[np.float32]:
    """Return two activations."""
    return _generator(address).random(2, np.float32)


def trajectory(address: str) -> NDArray[np.float32]:
    """Return two trajectories of four steps."""
    return _generator(address).random((2, 4), np.float32)


def _generator(address: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(address.encode()))


def renders(addresses: Sequence[str]) -> dict[str, Any]:
    """Return the columns of renders."""
    return {
        "address": list(addresses),
        "images": np.stack([images(address) for address in addresses]),
        "activation": np.stack([activation(address) for address in addresses]),
        "trajectory": np.stack([trajectory(address) for address in addresses]),
    }


def failures(addresses: Sequence[str]) -> dict[str, Any]:
    """Return the columns of failures."""
    return {"address": list(addresses), "error": [f"{address} blew up" for address in addresses]}


def finish(path: Path, batches: Sequence[Sequence[str]] = BATCHES, **changes: Any) -> Iterator[str]:
    """Run the rest of the test job; yield each address after it is stored."""
    store = writer(path, **changes)
    for batch in batches:
        if not store.done.issuperset(batch):
            store.add(renders(batch))
        yield from batch
    store.add(failures(FAILED), kind="failures")


def whole_store(path: Path, **changes: Any) -> Store:
    """Write the complete test store."""
    list(finish(path, **changes))
    return Store(path)


def is_right(row: Row) -> bool:
    """Whether a render equals the one written, in all bits and types."""
    address = row["address"]
    expected = {name: column[0] for name, column in renders([address]).items()}
    return row.keys() == expected.keys() and all(
        np.array_equal(row[name], expected[name])
        and np.asarray(row[name]).dtype == np.asarray(expected[name]).dtype
        for name in expected
    )


def shards(path: Path, kind: str = "renders") -> list[Path]:
    """Return the shard files of a kind."""
    return sorted((path / "shards").glob(f"{kind}-*.h5"))


def litter(path: Path) -> list[str]:
    """Return the files in a store that are neither its manifest nor a shard."""
    names = [str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()]
    return [name for name in names if name != "store.json" and not name.endswith(".h5")]
