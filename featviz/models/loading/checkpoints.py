"""Files of weights: state dicts of a known architecture, loaded strictly, without pickled code."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.loading.registry import BUNDLED, HUB, build, is_known, unknown_model
from featviz.models.vision_model import VisionModel

# Heads that GoogLeNet and Inception v3 of torchvision use in training only.
_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")


def load_checkpoint(
    path: Path,
    arch: str,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> VisionModel:
    """Load a state dict into a known architecture.

    Parameters
    ----------
    path : Path
        See `read_state_dict`.
    arch : str
        A name of timm, torchvision or cueworld. Image size and normalization are those of its
        published weights (GoogLeNet and Inception v3 of torchvision normalize a second time
        inside); the number of classes is that of the head in the file, 0 without a head.
    image_size, model_args
        See `featviz.models.loading.registry.build`.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there is no such architecture, the file cannot be read as weights, or its tensors do not
        match the architecture exactly.
    """
    if not is_known(arch) or arch.startswith(HUB):
        raise unknown_model(arch, "architecture")
    state = read_state_dict(path)
    model = build(arch, trained=False, image_size=image_size, model_args=model_args)
    if not arch.startswith(BUNDLED):
        state = {key: part for key, part in state.items() if not key.startswith(_TRAINING_ONLY)}
        classes = _other_head(state, model.module)
        if classes is not None:
            model = build(arch, False, classes, image_size, model_args)
    load_strictly(model.module, state, path)
    return model


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a ``.safetensors`` file or a pickle of torch, without executing code.

    Wrappers of training scripts are removed: the keys ``model`` and ``state_dict``, their averaged
    copies (``model_ema`` and ``state_dict_ema``, which take precedence), and the prefix
    ``module.`` of all names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    FeatvizError
        If the file is missing or damaged, or has pickled code or anything other than tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = timm.models.load_state_dict(str(path), weights_only=True)
    except OSError as error:
        raise FeatvizError(f"cannot read {path}: {error.strerror or 'no such file'}") from error
    except Exception as error:
        # Malicious or damaged bytes can make the unpickler raise anything.
        raise FeatvizError(_unreadable_message(path, error)) from error
    others = [str(key) for key, part in state.items() if not isinstance(part, Tensor)]
    if others or not state:
        found = f"it also has {_few(others)}" if others else "it is empty"
        raise FeatvizError(f"{path} is not a state dict of tensors: {found}")
    return dict(state)


def load_strictly(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Copy a state dict into a module whose names and shapes it must match exactly.

    Parameters
    ----------
    module : nn.Module
    state : dict of str to Tensor
    path : Path
        The file of the state dict, for error messages.

    Raises
    ------
    FeatvizError
        With the first few names that are missing, unexpected or of another shape.
    """
    own = module.state_dict()
    shapes = {
        name: f"{name} is {tuple(part.shape)}, not {tuple(own[name].shape)}"
        for name, part in state.items()
        if name in own and part.shape != own[name].shape
    }
    fitting = {name: part for name, part in state.items() if name in own and name not in shapes}
    missing, _ = module.load_state_dict(fitting, strict=False)
    wrong = {
        "missing": [name for name in missing if name not in shapes],
        "unexpected": [name for name in state if name not in own],
        "mis-shaped": list(shapes.values()),
    }
    faults = [f"{len(names)} {kind}: {_few(names)}" for kind, names in wrong.items() if names]
    if faults:
        raise FeatvizError(
            f"{path} does not fit a {type(module).__name__} of this architecture; "
            f"tensors {'; '.join(faults)}"
        )


def _other_head(state: dict[str, Tensor], module: nn.Module) -> int | None:
    """Return the number of classes of the head in a file, if it differs from the module's."""
    config = getattr(module, "pretrained_cfg", None)
    named = config["classifier"] if config else _last_layer(module)
    head: str = named if isinstance(named, str) else next(iter(named or ()), "")
    weight, own = state.get(f"{head}.weight"), module.state_dict().get(f"{head}.weight")
    if weight is not None and weight.ndim:
        same = own is not None and own.shape[0] == weight.shape[0]
        return None if same else weight.shape[0]
    # Only timm can build a model without a head.
    headless = config and not any(name.startswith(f"{head}.") for name in state)
    return 0 if headless and own is not None else None


def _last_layer(module: nn.Module) -> str:
    layers = (nn.Linear, nn.Conv2d)
    paths: list[str] = [path for path, part in module.named_modules() if isinstance(part, layers)]
    return paths[-1]


def _unreadable_message(path: Path, error: Exception) -> str:
    """Describe why a file cannot be read: pickled code, or damage."""
    texts = f"{error}\n{error.__cause__}"
    code = re.search(r"GLOBAL (\S+)|TorchScript", texts)
    if code:
        what = code[1] or "a TorchScript program"
        return (
            f"{path} is refused: it has Python objects ({what}), not only weights; "
            "save a plain state dict, best as .safetensors"
        )
    return (
        f"{path} cannot be read as weights: it is damaged, or not a .safetensors or .pth state dict"
    )


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
