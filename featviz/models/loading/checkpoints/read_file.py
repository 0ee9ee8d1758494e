"""Files of weights: read as tensors, without executing code."""

from __future__ import annotations

import argparse
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.file_kinds import describe, is_safetensors
from featviz.models.loading.checkpoints.fitting import abbreviate
from featviz.models.loading.checkpoints.state_dict import find_state_dicts

# Scores and arguments that training scripts save with the weights. Their pickles run no code of
# the file. The old name of the first one is in files written before NumPy 2.
_SCALAR = np.float64(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    argparse.Namespace,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    _SCALAR,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "?")),
]


class PickledCodeError(FeatvizError):
    """A file that has Python objects, which only code could restore.

    Attributes
    ----------
    name : str
        The first of their classes or functions, such as ``"timm.models.vision_transformer.Block"``.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def read_content(path: Path, start: int = 0) -> Any:
    """Read a ``.safetensors`` file or a pickle of torch, recognized by content, not by name.

    Parameters
    ----------
    path : Path
    start : int
        Position in the file at which a pickle of torch begins.

    Returns
    -------
    object
        Tensors on the CPU, in dictionaries as the file has them; with other builtin objects if it
        is a pickle.

    Raises
    ------
    PickledCodeError
        If the file has pickled code.
    FeatvizError
        If the file is missing, damaged, or of another kind.
    """
    try:
        if not start and is_safetensors(path):
            return safetensors.torch.load_file(path)
        with (
            path.open("rb") as file,
            warnings.catch_warnings(),
            torch.serialization.safe_globals(_HARMLESS),
        ):
            warnings.simplefilter("ignore")
            file.seek(start)
            # An open file, as torch goes by the name otherwise.
            source = io.BytesIO(file.read()) if start else file
            return torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FeatvizError(f"cannot read {path}: {error.strerror or 'no such file'}") from error
    except Exception as error:
        # Malicious or damaged bytes can make the unpickler raise anything.
        raise _refusal(path, error, None if start else describe(path)) from error


def _refusal(path: Path, error: Exception, kind: str | None) -> FeatvizError:
    """Make the error for a file that cannot be read: its kind, pickled code, or damage."""
    if kind is not None:
        return FeatvizError(f"{path} {kind}")
    code = re.search(r"GLOBAL (\S+)", f"{error}\n{error.__cause__}")
    if code:
        return PickledCodeError(
            f"{path} is refused: it has Python objects ({code[1]}), not only weights; "
            "save a plain state dict, best as .safetensors",
            code[1],
        )
    return FeatvizError(
        f"{path} cannot be read as weights: it is damaged, or not a .safetensors or .pth state dict"
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a file, without executing code.

    Parameters
    ----------
    path : Path
        See `read_content`.

    Returns
    -------
    dict of str to Tensor
        The first of `featviz.models.loading.checkpoints.state_dict.find_state_dicts`.

    Raises
    ------
    FeatvizError
        If the file cannot be read or has no tensors by name.
    """
    return read_state_dicts(path)[0][1]


def read_state_dicts(path: Path) -> list[tuple[str, dict[str, Tensor]]]:
    """Read all state dicts of a file, without executing code.

    Parameters
    ----------
    path : Path
        See `read_content`.

    Returns
    -------
    list of (str, dict of str to Tensor)
        See `featviz.models.loading.checkpoints.state_dict.find_state_dicts`; at least one.

    Raises
    ------
    FeatvizError
        If the file cannot be read or has no tensors by name.
    """
    content = read_content(path)
    states = find_state_dicts(content)
    if not states:
        found = f"a {type(content).__name__}"
        if isinstance(content, Mapping):
            found = f"only {abbreviate([str(key) for key in content])}" if content else "nothing"
        raise FeatvizError(f"{path} has no weights by name: it has {found}")
    return states
