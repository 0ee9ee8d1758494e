"""Columns of every kind of result, and validation of what is read and written.

The schemas of all analyses are listed here, not in the analyses: a store is validated by programs
that import none of them, such as ``featviz verify`` and the gallery.
"""

from __future__ import annotations

import h5py
import numpy as np

from featviz.store.columns import ADDRESS, Datasets, get_text

SCHEMAS: dict[str, dict[str, tuple[str, str]]] = {
    "renders": {
        "images": ("|u1", "N D H W 3"),
        "activation": ("<f4", "N D"),
        "trajectory": ("<f4", "N D T"),
    },
    "failures": {"error": ("text", "N")},
    "constants": {"reason": ("text", "N")},
    "latents": {"latent": ("<f4", "N D"), "rank": ("<i4", "N D")},
    "sides": {
        "images": ("|u1", "N D S H W 3"),
        "activation": ("<f4", "N D"),
        "trajectory": ("<f4", "N D T"),
    },
    "grids": {
        "queries": ("<i4", "N Q"),
        "keys": ("<i4", "N K"),
        "activation": ("<f4", "N Q K"),
        "figure": ("|u1", "N H W 3"),
    },
    "grid_layouts": {"grid": ("<i4", "N 2"), "prefix": ("<i4", "N")},
    "attention": {
        "pattern": ("<f4", "N T T"),
        "displacement": ("<f4", "N Y X"),
        "prefix": ("<f4", "N"),
        "self": ("<f4", "N"),
        "local": ("<f4", "N"),
        "entropy": ("<f4", "N"),
    },
    "gradients": {
        "images": ("|u1", "N M H W 3"),
        "query": ("<f4", "N M H W"),
        "key": ("<f4", "N M H W"),
        "activation": ("<f4", "N M"),
    },
    "filters": {
        "weights": ("<f4", "N 3 H W"),
        "images": ("|u1", "N H W 3"),
        "energy": ("<f4", "N"),
        "spatial": ("<f4", "N"),
        "colour": ("<f4", "N"),
        "class": ("text", "N"),
        "cluster": ("<i4", "N"),
        "order": ("<i4", "N"),
    },
    "components": {
        "weights": ("<f4", "N 3 H W"),
        "images": ("|u1", "N H W 3"),
        "variance": ("<f4", "N"),
    },
    "positions": {"similarity": ("<f4", "N R C")},
    "tokens": {
        "tokens": ("<i4", "N T"),
        "optimum": ("<f4", "N T"),
        "reached": ("<f4", "N T"),
        "similarity": ("<f4", "N T"),
    },
    "scores": {
        "held_out": ("<f4", "N D"),
        "fine": ("<f4", "N D"),
        "grid": ("<f4", "N D"),
        "spectrum": ("<f4", "N D"),
        "rise": ("<f4", "N D"),
        "agreement": ("<f4", "N"),
        "similarity": ("<f4", "N"),
    },
    "logits": {"effects": ("<f4", "N C")},
    "nearest_writers": {
        "latents": ("text", "N"),
        "latent_cosines": ("<f4", "N L"),
        "neurons": ("text", "N"),
        "neuron_cosines": ("<f4", "N M"),
    },
    "paths": {
        "picture": ("<f4", "N L"),
        "natural": ("<f4", "N L"),
        "same": ("<f4", "N L"),
        "different": ("<f4", "N L"),
        "agreement": ("<f4", "N"),
    },
    "matches": {
        "match": ("text", "N"),
        "correlation": ("<f4", "N"),
        "images": ("|u1", "N S H W 3"),
        "activation": ("<f4", "N S"),
    },
    "cka": {"similarity": ("<f4", "N L")},
    "traces": {
        "label": ("<i4", "N"),
        "right": ("|u1", "N"),
        "clean": ("<f4", "N M"),
        "corrupted": ("<f4", "N M"),
        "restored": ("<f4", "N P M"),
    },
    "trace_sites": {
        "place": ("<i4", "N"),
        "site": ("text", "N"),
        "layer": ("<i4", "N"),
        "head": ("text", "N"),
        "token": ("text", "N"),
        "window": ("<i4", "N"),
    },
    "edge_scores": {
        "label": ("<i4", "N"),
        "right": ("|u1", "N"),
        "clean": ("<f4", "N"),
        "corrupted": ("<f4", "N"),
        "score": ("<f4", "N S R G"),
    },
    "circuits": {
        "place": ("<i4", "N"),
        "method": ("text", "N"),
        "count": ("<i4", "N"),
        "edges": ("|u1", "N B"),
    },
    "circuit_edges": {
        "place": ("<i4", "N"),
        "edge": ("<i4", "N 3"),
        "score": ("<f4", "N"),
    },
    "circuit_effects": {
        "label": ("<i4", "N"),
        "right": ("|u1", "N"),
        "clean": ("<f4", "N"),
        "corrupted": ("<f4", "N"),
        "kept": ("<f4", "N K"),
        "lost": ("<f4", "N K"),
        "effect": ("<f4", "N E"),
    },
    "circuit_curves": {
        "counts": ("<i4", "N K"),
        "faithfulness": ("<f4", "N K 3"),
        "completeness": ("<f4", "N K"),
        "cpr": ("<f4", "N"),
        "cmd": ("<f4", "N"),
        "size": ("<i4", "N"),
        "scored": ("<i4", "N"),
        "tested": ("<i4", "N"),
        "total": ("<f4", "N 3"),
    },
    "edge_effects": {"effect": ("<f4", "N 3")},
    "effects": {
        "kind": ("text", "N"),
        "group": ("text", "N"),
        "metric": ("text", "N"),
        "images": ("<i4", "N"),
        "clean": ("<f4", "N"),
        "corrupted": ("<f4", "N"),
        "total": ("<f4", "N 3"),
        "effect": ("<f4", "N P 3"),
        "share": ("<f4", "N P 3"),
        "grid": ("<i4", "N 2"),
        "prefix": ("<i4", "N"),
    },
    "trace_images": {
        "images": ("|u1", "N S H W 3"),
        "label": ("<i4", "N"),
        "clean": ("<f4", "N M"),
        "corrupted": ("<f4", "N M"),
        "effect": ("<f4", "N M P"),
    },
    "figures": {"image": ("|u1", "N H W 3")},
    "examples": {
        "top": ("<i4", "N K"),
        "top_values": ("<f4", "N K"),
        "top_tokens": ("<i4", "N K 2"),
        "bottom": ("<i4", "N K"),
        "bottom_values": ("<f4", "N K"),
        "bottom_tokens": ("<i4", "N K 2"),
        "spread": ("<i4", "N S"),
        "spread_values": ("<f4", "N S"),
        "spread_tokens": ("<i4", "N S 2"),
        "percentiles": ("<f4", "N P"),
        "histogram": ("<i4", "N B"),
        "mean": ("<f4", "N"),
        "deviation": ("<f4", "N"),
        "sparsity": ("<f4", "N"),
        "active": ("<f4", "N"),
        "classes": ("<f4", "N C"),
        "grid": ("<i4", "N 2"),
        "prefix": ("<i4", "N"),
    },
    "example_maps": {
        "images": ("<i4", "N K"),
        "levels": ("|u1", "N K C"),
        "low": ("<f4", "N K"),
        "high": ("<f4", "N K"),
        "grid": ("<i4", "N 2"),
    },
    "sae_quality": {
        "library": ("text", "N"),
        "architecture": ("text", "N"),
        "latents": ("<i4", "N"),
        "images": ("<i8", "N"),
        "tokens": ("<i8", "N"),
        "explained_variance": ("<f8", "N"),
        "l0": ("<f8", "N"),
        "alive": ("<f8", "N"),
        "dense": ("<f8", "N"),
        "reconstruction": ("<f8", "N 3"),
        "zero_ablation": ("<f8", "N 3"),
    },
    "firing": {
        "tokens": ("<f4", "N"),
        "images": ("<f4", "N"),
        "quantiles": ("<f4", "N S"),
    },
    "profiles": {
        "levels": ("<u2", "N P"),
        "low": ("<f4", "N"),
        "high": ("<f4", "N"),
    },
    "example_images": {
        "webp": ("|u1", "N B"),
        "bytes": ("<i4", "N"),
        "label": ("<i4", "N"),
    },
    "validations": {
        "silent": ("|u1", "N"),
        "class": ("<i4", "N"),
        "level": ("<f4", "N"),
        "images": ("<i4", "N"),
        "controls": ("<i4", "N Z"),
        "necessity": ("<f4", "N A"),
        "necessity_interval": ("<f4", "N A 2"),
        "necessity_level": ("<f4", "N A Z"),
        "necessity_p": ("<f4", "N A Z"),
        "neutral": ("<i4", "N"),
        "dose": ("<f4", "N O"),
        "sufficiency": ("<f4", "N O"),
        "sufficiency_interval": ("<f4", "N O 2"),
        "converted": ("<f4", "N O"),
        "sufficiency_level": ("<f4", "N Z"),
        "sufficiency_p": ("<f4", "N Z"),
        "response_p": ("<f4", "N"),
        "picture_p": ("<f4", "N"),
        "mediation": ("<f4", "N"),
        "mediation_control": ("<f4", "N"),
        "mediation_p": ("<f4", "N"),
        "total": ("<f4", "N C"),
        "direct": ("<f4", "N C"),
        "induced": ("<f4", "N C"),
        "agreement": ("<f4", "N 3"),
    },
}
"""For each kind, its columns: dtype (or ``"text"``) and shape.

A letter is the same size wherever it appears within a kind; `N` is the number of rows. A kind that
is not listed may have any columns.
"""


def get_columns(file: h5py.File, kind: str, file_size: int) -> Datasets:
    """Open the columns of a kind after validating their metadata.

    No data is read before: a link could lead out of the file, and a size could be anything.

    Parameters
    ----------
    file : h5py.File
    kind : str
        Kind of result.
    file_size : int
        Size of the file in bytes.

    Returns
    -------
    dict of str to h5py.Dataset

    Raises
    ------
    ValueError
        For a wrong encoding, a link, a column whose data is external, compressed or larger than
        the file, or a wrong type or shape.
    """
    if not isinstance(file.get(kind, getlink=True), h5py.HardLink):
        raise ValueError(f"it has no {kind}")
    group = file[kind]
    encoding = get_text(group, "encoding-type"), get_text(group, "encoding-version")
    if encoding != (f"featviz-{kind}", "1"):
        raise ValueError(f"its encoding is {' '.join(encoding)} and not featviz-{kind} 1")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{kind}/{name} is not a plain column")
    datasets = dict(group.items())
    for name, dataset in datasets.items():
        _check_column(f"{kind}/{name}", dataset, file_size)
    known = {ADDRESS: ("text", "N")} | SCHEMAS.get(kind, {})
    if missing := known.keys() - datasets.keys():
        raise ValueError(f"{kind} has no column {min(missing)!r}")
    sizes = {"2": 2, "3": 3}
    for name, (dtype, letters) in known.items():
        _check_shape(f"{kind}/{name}", datasets[name], dtype, letters.split(), sizes)
    if any(len(dataset) != sizes["N"] for dataset in datasets.values()):
        raise ValueError(f"the columns of {kind} differ in length")
    return datasets


def check_values(datasets: Datasets, kind: str) -> None:
    """Check that the activations of images are finite.

    Parameters
    ----------
    datasets : dict of str to h5py.Dataset
    kind : str
        Kind of result; only renders (and pairs of images) have a check.

    Raises
    ------
    ValueError
        With the first unit whose activation is not finite.
    """
    if kind in ("renders", "sides"):
        invalid = ~np.isfinite(datasets["activation"][:]).all(axis=1)
        if invalid.any():
            unit = datasets[ADDRESS][int(invalid.argmax())].decode()
            raise ValueError(f"the activation of {unit} is not finite")


def _check_column(name: str, dataset: object, file_size: int) -> None:
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} is not a plain column")
    plain = dataset.external is None and not dataset.is_virtual
    if not plain or dataset.dtype.kind not in "biufcS" or dataset.ndim == 0:
        raise ValueError(f"{name} is not a plain column")
    if dataset.id.get_create_plist().get_nfilters():
        raise ValueError(f"{name} is compressed")
    if not dataset.nbytes <= dataset.id.get_storage_size() <= file_size:
        raise ValueError(f"{name} is incomplete")


def _check_shape(
    name: str, dataset: h5py.Dataset, dtype: str, letters: list[str], sizes: dict[str, int]
) -> None:
    has_type = dataset.dtype.kind == "S" if dtype == "text" else dataset.dtype.str == dtype
    # The first column with a letter determines its size for the following ones.
    if (
        not has_type
        or dataset.ndim != len(letters)
        or list(dataset.shape) != list(map(sizes.setdefault, letters, dataset.shape))
    ):
        raise ValueError(f"{name} is {dataset.dtype.str} {dataset.shape}")
