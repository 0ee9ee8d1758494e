"""Small stores whose every value follows from its address, so that any row can be checked."""

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
    """Open the store of these tests, with some of its arguments changed."""
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
    """Two pictures of 5 x 7 pixels."""
    return _generator(address).integers(0, 256, (2, 5, 7, 3), np.uint8)


def activation(address: str) -> NDArray[np.float32]:
    """Two activations."""
    return _generator(address).random(2, np.float32)


def trajectory(address: str) -> NDArray[np.float32]:
    """Two trajectories of four steps."""
    return _generator(address).random((2, 4), np.float32)


def _generator(address: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(address.encode()))


def renders(addresses: Sequence[str]) -> dict[str, Any]:
    """The columns of some renders."""
    return {
        "address": list(addresses),
        "images": np.stack([images(address) for address in addresses]),
        "activation": np.stack([activation(address) for address in addresses]),
        "trajectory": np.stack([trajectory(address) for address in addresses]),
    }


def failures(addresses: Sequence[str]) -> dict[str, Any]:
    """The columns of some failures."""
    return {"address": list(addresses), "error": [f"{address} blew up" for address in addresses]}


def finish(path: Path, batches: Sequence[Sequence[str]] = BATCHES, **changes: Any) -> Iterator[str]:
    """Run the job of these tests, as far as it is not done; yield each address once it is kept."""
    store = writer(path, **changes)
    for batch in batches:
        if not store.done.issuperset(batch):
            store.add(renders(batch))
        yield from batch
    store.add(failures(FAILED), kind="failures")


def whole_store(path: Path, **changes: Any) -> Store:
    """Write all that these tests store."""
    list(finish(path, **changes))
    return Store(path)


def is_right(row: Row) -> bool:
    """Whether a render is the one that was written, to the last bit and with the right types."""
    address = row["address"]
    expected = {name: column[0] for name, column in renders([address]).items()}
    return row.keys() == expected.keys() and all(
        np.array_equal(row[name], expected[name])
        and np.asarray(row[name]).dtype == np.asarray(expected[name]).dtype
        for name in expected
    )


def shards(path: Path, kind: str = "renders") -> list[Path]:
    """The shard files of a kind."""
    return sorted((path / "shards").glob(f"{kind}-*.h5"))


def litter(path: Path) -> list[str]:
    """Whatever lies in a store that is neither its manifest nor a shard."""
    names = [str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()]
    return [name for name in names if name != "store.json" and not name.endswith(".h5")]
