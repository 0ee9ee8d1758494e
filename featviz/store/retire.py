"""Making room for results of one kind that are made in another way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from featviz._util.files import locked, set_aside, write
from featviz.store.manifest import NAME, Manifest
from featviz.store.shards import Shards


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
