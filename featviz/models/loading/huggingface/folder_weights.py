"""Files of weights in a folder: one file or several with an index, safetensors or pickles."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.read_file import read_state_dict
from featviz.models.loading.huggingface.json_config import read_json

_FILES = ("model.safetensors", "pytorch_model.bin")


def read_weights(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """Read all weights of a folder, without executing code.

    Parameters
    ----------
    folder : Path
        With ``model.safetensors``, else ``model.safetensors.index.json`` and the files that it
        names, else ``pytorch_model.bin``, else ``pytorch_model.bin.index.json`` and its files.

    Returns
    -------
    state : dict of str to Tensor
    path : Path
        The file, or the index, for error messages.

    Raises
    ------
    FeatvizError
        If there is no such file, one of them is damaged or has pickled code, or a tensor or file of
        the index is missing.
    """
    for name in _FILES:
        whole, index = folder / name, folder / f"{name}.index.json"
        if whole.exists():
            return read_state_dict(whole), whole
        if index.exists():
            return _read_parts(index), index
    raise FeatvizError(f"{folder} has no weights: neither {' nor '.join(_FILES)}")


def _read_parts(index: Path) -> dict[str, Tensor]:
    config = read_json(index)
    places = config.inside("weight_map").entries
    if not places or not all(isinstance(file, str) for file in places.values()):
        raise config.wrong("weight_map", "an object from the name of each tensor to its file")
    state: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        if Path(file).name != file:
            raise FeatvizError(f"{index}: {file!r} is not the name of a file in the same folder")
        if not (index.parent / file).exists():
            raise FeatvizError(f"{index} names {file}, which is missing")
        state |= read_state_dict(index.parent / file)
    lost = next((name for name in places if name not in state), None)
    if lost is not None:
        raise FeatvizError(f"{index}: {places[lost]} lacks the tensor {lost}")
    return state
