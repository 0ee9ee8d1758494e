"""From a name, a folder or a file to a frozen vision model."""

from __future__ import annotations

from pathlib import Path

import torch

from featviz.errors import FeatvizError
from featviz.models.checkpoints import load_checkpoint
from featviz.models.huggingface import load_folder
from featviz.models.registry import BUNDLED, build, is_known, known_models, unknown
from featviz.models.vision_model import VisionModel

__all__ = ["VisionModel", "known_models", "load"]


def load(
    name: str, untrained: bool = False, arch: str | None = None, device: str = "auto"
) -> VisionModel:
    """Load a model, frozen: in evaluation mode and with no gradient to its weights.

    Parameters
    ----------
    name : str
        A name of `known_models`, a name of timm with a tag or as ``hf-hub:OWNER/MODEL``, a folder
        of a Hugging Face ViT, or a file with a state dict. A known name goes before a file
        or folder of the same name; ``./NAME`` is always a path.
    untrained : bool
        Random weights instead of the published ones, the same ones every time.
    arch : str, optional
        The name of the architecture whose weights a file holds.
    device : str
        ``auto`` (a CUDA device if there is one, else the CPU), or any device of torch.

    Raises
    ------
    FeatvizError
        If there is no such model, file or device, the weights cannot be fetched, read or fitted,
        or `untrained` or `arch` makes no sense for the model.
    """
    target = _device(device)
    model = _load(name, untrained, arch)
    model.name, model.untrained, model.arch = name, untrained, arch
    model.module.eval().requires_grad_(False).to(target)
    return model


def _load(name: str, untrained: bool, arch: str | None) -> VisionModel:
    if is_known(name):
        if arch is not None:
            raise FeatvizError(f"--arch is for a file of weights; {name} names its architecture")
        if untrained and name.startswith(BUNDLED):
            raise FeatvizError(
                f"{name} comes with its weights; --untrained is for timm and torchvision"
            )
        return build(name, trained=not untrained)
    path = Path(name)
    if not name or not _exists(path):
        raise _missing(name, path, arch)
    if untrained:
        raise FeatvizError(
            f"{name} has trained weights; for random ones give --untrained a known name"
        )
    if path.is_dir():
        if arch is not None:
            raise FeatvizError(f"--arch is for a file of weights; the folder {name} names its own")
        return load_folder(path)
    if arch is None:
        raise FeatvizError(
            f"{name} holds weights only; name their architecture, as in --arch resnet50"
        )
    return load_checkpoint(path, arch)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # Such as a name too long for the file system.
        return False


def _missing(name: str, path: Path, arch: str | None) -> FeatvizError:
    looks_like_path = path.is_absolute() or name.startswith((".", "~"))
    suffixes = (".safetensors", ".pth", ".pt", ".bin")
    if arch is not None or looks_like_path or path.suffix in suffixes:
        return FeatvizError(f"there is no file or folder {name}")
    return unknown(name)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        there = ", ".join(["auto", "cpu", *gpus])
        raise FeatvizError(f"no device {name!r} here; there are {there}") from error
    return device
