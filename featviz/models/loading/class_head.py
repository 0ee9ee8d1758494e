"""A head of class vectors on the features of a model: a linear probe, or zero-shot classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel

ENTRIES = ("weight", "names", "bias", "logit_scale")
"""Arrays of a file of class vectors; the last two are optional."""


class CosineHead(nn.Module):
    """Scaled cosine similarities with class vectors, as in CLIP.

    Parameters
    ----------
    weight : Tensor, shape (K, C)
        Class vectors; they are normalized.
    bias : Tensor, shape (K,)
        Added to the logits, as in SigLIP.
    logit_scale : float
        Factor of the cosines.

    Source: Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", ICML 2021.
    """

    weight: Tensor
    bias: Tensor
    logit_scale: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, logit_scale: float) -> None:
        super().__init__()
        self.register_buffer("weight", F.normalize(weight, dim=-1))
        self.register_buffer("bias", bias)
        self.register_buffer("logit_scale", torch.tensor(logit_scale))

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits, (..., K), of features, (..., C)."""
        cosines = F.normalize(features, dim=-1) @ self.weight.T
        return self.logit_scale * cosines + self.bias


def attach_head(model: VisionModel, path: str) -> None:
    """Replace or extend the head of a freshly loaded model, in place.

    Class vectors of the width of the model's output are applied to the output, so that the
    projection of CLIP stays. Those of the width of the input of its head replace the head.

    Parameters
    ----------
    model : VisionModel
        With a layer ``head``, as the vision transformers of timm have it.
    path : str
        An ``.npy`` file of K class vectors, (K, C), next to a ``.txt`` file with their names, one
        a line; or an ``.npz`` file with:

        ``weight``
            (K, C).
        ``names``
            (K,), texts.
        ``bias``
            (K,) or a single number; optional.
        ``logit_scale``
            A number, the temperature's inverse (100 for CLIP). With it, features and class vectors
            are normalized, and cosines multiplied by it; without it, the head is linear.

    Raises
    ------
    FeatvizError
        If the model has no such layer, or two heads, the file cannot be read or holds something
        else, or the class vectors are of another width.
    """
    module: Any = model.module
    old = getattr(module, "head", None)
    if not isinstance(old, nn.Module):
        raise FeatvizError(f"{model.name} has no layer 'head'; --head needs a vision transformer")
    if isinstance(getattr(module, "head_dist", None), nn.Module):
        raise FeatvizError(f"{model.name} averages two heads; --head needs a model with one")
    arrays = _read(path)
    weight = _tensor(arrays["weight"])
    side = model.image_size
    with eval_mode(module), torch.no_grad():
        output = module(torch.zeros(1, 3, side, side)).shape[-1]
    inner = old.in_features if isinstance(old, nn.Linear) else output
    width = weight.shape[1]
    if width not in (output, inner):
        before = "" if inner == output else f", or {inner} before its head"
        raise FeatvizError(
            f"{path} has class vectors of width {width}, but {model.name} has an output of width "
            f"{output}{before}"
        )
    new = _layer(weight, arrays)
    keeps = width == output and not isinstance(old, nn.Identity)
    module.head = nn.Sequential(old, new) if keeps else new
    model.classes = tuple(map(str, arrays["names"].tolist()))


def _layer(weight: Tensor, arrays: Mapping[str, NDArray[Any]]) -> nn.Module:
    count, width = weight.shape
    bias = _tensor(np.broadcast_to(arrays.get("bias", np.zeros(())), count))
    if "logit_scale" in arrays:
        return CosineHead(weight, bias, arrays["logit_scale"].item())
    layer = nn.Linear(width, count)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))


def _read(path: str) -> dict[str, NDArray[Any]]:
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            arrays = {"weight": content, "names": _names(Path(path).with_suffix(".txt"))}
        else:
            with content as file:
                arrays = {name: file[name] for name in ENTRIES if name in file}
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except (OSError, EOFError, ValueError, BadZipFile, AttributeError, TypeError) as error:
        kinds = "an .npz file with weight and names, or an .npy file of a matrix"
        raise FeatvizError(f"{path} is not {kinds}: {error}") from error
    for name in ("weight", "names"):
        if name not in arrays:
            raise FeatvizError(f"{path} has no {name}; it needs weight (K, C) and names (K,)")
    for problem in _problems(**arrays):
        raise FeatvizError(f"{path} has {problem}")
    return arrays


def _names(path: Path) -> NDArray[np.str_]:
    """Read the names of the rows of a matrix, one a line."""
    try:
        return np.array(path.read_text(encoding="utf-8").splitlines(), np.str_)
    except FileNotFoundError as error:
        message = f"there is no file {path} with the names of the class vectors, one a line"
        raise FeatvizError(message) from error
    except UnicodeDecodeError as error:
        raise FeatvizError(f"{path} is not a text file in UTF-8") from error


def _problems(weight: NDArray[Any], names: NDArray[Any], **others: NDArray[Any]) -> Iterator[str]:
    """Yield what is wrong with the arrays of a file."""
    for name, array in {"weight": weight, **others}.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            yield f"a {name} that is not of finite real numbers"
    if weight.ndim != 2 or not weight.size:
        yield f"a weight of shape {weight.shape}, not (K, C)"
    if names.dtype.kind != "U" or names.shape != weight.shape[:1]:
        yield f"names of shape {names.shape} and type {names.dtype}, not {len(weight)} texts"
    bias, scale = others.get("bias", np.zeros(())), others.get("logit_scale")
    if bias.shape not in {(), weight.shape[:1]}:
        yield f"a bias of shape {bias.shape}, not ({len(weight)},)"
    if scale is not None and (scale.size != 1 or scale.item() <= 0):
        yield "a logit_scale that is no number > 0"
    if scale is not None and not np.linalg.norm(weight, axis=1).all():
        yield "a class vector of zeros, which cannot be normalized"
