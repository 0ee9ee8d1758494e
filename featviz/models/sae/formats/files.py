"""`Files`: the weights of a sparse autoencoder, and the configuration next to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.models.loading.huggingface.json_config import JsonConfig, read_json

WEIGHTS = ("sae_weights.safetensors", "ae.pt", "weights.pt", "sae.pt")
"""File names of SAELens, dictionary_learning, Prisma and saev."""
_CONFIGS = ("cfg.json", "config.json")
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class Files:
    """Files of a sparse autoencoder.

    Attributes
    ----------
    weights : Path
    config : JsonConfig or None
        ``cfg.json`` or ``config.json`` in the folder of the weights.
    head : bytes
        The first bytes of the weights.
    """

    weights: Path
    config: JsonConfig | None
    head: bytes

    def has(self, key: str) -> bool:
        """Return whether the configuration has an entry.

        Parameters
        ----------
        key : str
        """
        return self.config is not None and key in self.config.entries


def find_files(path: Path) -> Files:
    """Find the files of a sparse autoencoder.

    Parameters
    ----------
    path : Path
        The file of the weights, or its folder.

    Returns
    -------
    Files

    Raises
    ------
    FeatvizError
        If there is no such path, it cannot be read, a folder has no file of weights or several, or
        the configuration is not a JSON object.
    """
    weights = _in_folder(path) if path.is_dir() else path
    if not weights.is_file():
        raise FeatvizError(
            f"{path} does not exist: give the folder or file of a sparse autoencoder"
        )
    try:
        with weights.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise FeatvizError(f"cannot read {weights}: {error.strerror}") from error
    configs = [weights.with_name(name) for name in _CONFIGS]
    config = next((each for each in configs if each.is_file() and each != weights), None)
    return Files(weights, None if config is None else read_json(config), head)


def _in_folder(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    try:
        found = sorted(each for each in folder.iterdir() if each.suffix in _SUFFIXES)
    except OSError as error:
        raise FeatvizError(f"cannot read {folder}: {error.strerror}") from error
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise FeatvizError(f"{folder} has several files of weights ({names}): give one of them")
    raise FeatvizError(f"{folder} has no weights of a sparse autoencoder ({', '.join(WEIGHTS)})")
