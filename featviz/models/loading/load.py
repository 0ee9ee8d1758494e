"""`load`: a vision model by name, from a folder or from a file of weights."""

from __future__ import annotations

import inspect
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from timm.layers.patch_embed import PatchEmbed

from featviz._util.arguments import described
from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.checkpoint import load_checkpoint
from featviz.models.loading.class_head import attach_head
from featviz.models.loading.deprecated_names import current_name
from featviz.models.loading.huggingface.folder import load_folder
from featviz.models.loading.import_path import (
    IMPORT_PATH,
    absolute_import_path,
    load_import_path,
)
from featviz.models.loading.options import LoadOptions, Rgb, rgb_text
from featviz.models.loading.registry import (
    BUNDLED,
    build,
    is_known,
    known_models,
    normalizations,
    unknown_model,
)
from featviz.models.loading.sae_files import SaeFile, sae_files
from featviz.models.sae.load import load_sae
from featviz.models.vision_model import VisionModel

__all__ = ["VisionModel", "known_models", "load"]

_FACTS = set(inspect.signature(load_sae).parameters) - {"path", "site"}


def load(
    name: str | os.PathLike[str],
    untrained: bool = False,
    arch: str | None = None,
    device: str | torch.device = "auto",
    image_size: int | None = None,
    mean: Rgb | None = None,
    std: Rgb | None = None,
    model_args: Mapping[str, Any] | None = None,
    head: str | os.PathLike[str] | None = None,
    saes: Mapping[str, str | os.PathLike[str] | SaeFile] | None = None,
) -> VisionModel:
    """Load a model in evaluation mode, without gradients to its weights.

    Parameters
    ----------
    name : str or path
        A name of `known_models`, optionally with a tag of timm (an old name of timm is replaced by
        its current one, with a warning); ``hf-hub:OWNER/MODEL``; a folder of Hugging Face or timm;
        a file with a state dict; or ``py:PACKAGE.MODULE:FUNCTION``, a function of yours (see
        `featviz.models.loading.import_path.load_import_path`). A known name takes precedence over a
        file or folder of the same name; ``./NAME`` and a `pathlib.Path` are always paths.
    untrained : bool
        Use random weights, the same every time, instead of the published ones.
    arch : str, optional
        Name of the architecture, for a file of weights.
    device : str or torch.device
        ``"auto"`` (a CUDA device if there is one, else the CPU), or any device of torch that holds
        values.
    image_size : int, optional
        Side of the square inputs in pixels; that of the weights by default. Position embeddings
        are resampled as timm does (bicubic, antialiased).
    mean, std : (float, float, float), optional
        The inputs are ``(images - mean) / std`` for RGB in [0, 1]; those of the weights by default.
    model_args : mapping, optional
        Further arguments of the architecture, as ``timm.create_model`` takes them, or of your
        function.
    head : path, optional
        Class vectors of a linear probe or of zero-shot classes, an ``.npy`` or ``.npz`` file, see
        `featviz.models.loading.class_head.attach_head`.
    saes : mapping of str to path, optional
        Sparse autoencoders, see `featviz.load_sae`. Their latents are the units ``sae.NAME:0``,
        ``sae.NAME:1``, ... of each name. For one that needs further arguments, see
        `VisionModel.with_saes`.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there is no such model, file or device, if the weights cannot be downloaded or read or
        do not fit, or if an argument is of another type or does not apply to the model.
    """
    given = {} if model_args is None else model_args
    files = sae_files({} if saes is None else saes)
    options = LoadOptions(
        untrained,
        arch,
        image_size,
        mean,
        std,
        given,  # type: ignore[arg-type]
        head,  # type: ignore[arg-type]
    )
    name = current_name(_name(name))
    if options.arch is not None:
        options = replace(options, arch=current_name(options.arch))
    target = find_device(device)
    with _torch_defaults():
        return attach_saes(_finish(_load(name, options), name, options, target), files)


def attach_saes(model: VisionModel, files: Mapping[str, SaeFile]) -> VisionModel:
    """Load sparse autoencoders and make their latents units of a model.

    Parameters
    ----------
    model : VisionModel
    files : mapping of str to SaeFile
        By name.

    Returns
    -------
    VisionModel
        `model` itself if there is no file.

    Raises
    ------
    FeatvizError
        If a file cannot be read, is another one than its digest says, or does not fit the model.
    """
    saes = {}
    for name, file in files.items():
        for fact in file.facts:
            if fact not in _FACTS:
                raise FeatvizError(
                    f"no argument {fact!r} for loading the sparse autoencoder {name}; use a newer "
                    "featviz"
                )
        sae = load_sae(file.path, file.site, **file.facts)
        if file.digest not in (None, sae.digest):
            raise FeatvizError(
                f"{file.path} is another sparse autoencoder than {name} was: its digest is "
                f"{sae.digest[:8]}, not {str(file.digest)[:8]}"
            )
        saes[name] = sae.to(model.device)
    return model.with_saes(saes) if saes else model


def _name(name: object) -> str:
    """Return the text of a name, or of a path: with a folder, as no known model has that name."""
    if isinstance(name, str):
        return name
    path = os.fspath(name) if isinstance(name, os.PathLike) else None
    if not isinstance(path, str):
        raise FeatvizError(f"name must be the name of a model or a path, got {described(name)}")
    return os.path.join(".", path)  # noqa: PTH118  a Path drops the dot


@contextmanager
def _torch_defaults() -> Iterator[None]:
    """Make modules as without defaults and modes of the caller: float32, on the CPU, trainable."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), torch.inference_mode(False):
            yield
    finally:
        torch.set_default_dtype(dtype)


def _finish(
    model: VisionModel, name: str, options: LoadOptions, target: torch.device
) -> VisionModel:
    model.name, model.load_options, model.location = name, options, _location(name)
    _normalize_by(model, options)
    if options.model_args:
        model.variant["model_args"] = options.model_args
    if "image_size" in model.variant:
        _check_size(model)
    if options.head is not None:
        attach_head(model, options.head)
    model.module.eval().requires_grad_(False).to(target)
    return model


def _location(name: str) -> str | None:
    """Return the name with an absolute path, if the model is not known by a name of its own."""
    if name.startswith(IMPORT_PATH):
        return absolute_import_path(name)
    return None if is_known(name) else str(Path(name).absolute())


def _load(name: str, options: LoadOptions) -> VisionModel:
    untrained, arch, size = options.untrained, options.arch, options.image_size
    if name.startswith(IMPORT_PATH):
        return load_import_path(name, options)
    if is_known(name):
        if arch is not None:
            raise FeatvizError(
                f"arch (--arch) needs a file of weights; {name} is an architecture itself"
            )
        if untrained and name.startswith(BUNDLED):
            raise FeatvizError(
                f"{name} is bundled with its weights; untrained (--untrained) is for timm and "
                "torchvision"
            )
        return build(name, not untrained, image_size=size, model_args=options.model_args)
    path = Path(name)
    if not name or not _exists(path):
        raise _missing(name, path, arch)
    if untrained:
        raise FeatvizError(
            f"{name} has trained weights; untrained (--untrained) needs the name of a known model"
        )
    if path.is_dir():
        if arch is not None:
            raise FeatvizError(
                f"arch (--arch) needs a file of weights; the folder {name} has its own "
                "configuration"
            )
        if options.model_args:
            raise FeatvizError(
                f"model_args (--model-arg) need an architecture; the folder {name} has its own "
                "configuration"
            )
        return load_folder(path, size)
    if arch is None:
        raise FeatvizError(
            f"{name} has weights only; give their architecture with arch (--arch), as in "
            "--arch resnet50"
        )
    model = load_checkpoint(path, arch, size, options.model_args)
    _warn_of_normalization(model, path, options)
    return model


def _warn_of_normalization(model: VisionModel, path: Path, options: LoadOptions) -> None:
    """Warn if weights of the same architecture were published with different mean or std."""
    published = normalizations(str(options.arch))
    unknown = [
        kind
        for index, kind in enumerate(("mean", "std"))
        if getattr(options, kind) is None and len({each[index] for each in published}) > 1
    ]
    if unknown:
        used = " and ".join(f"{kind} {rgb_text(getattr(model, kind))}" for kind in unknown)
        flags = " and ".join(f"--{kind}" for kind in unknown)
        warnings.warn(
            f"{path}: weights of {options.arch} differ in {' and '.join(unknown)}; using {used}; "
            f"set others with {flags}, or those of a tag with --arch {options.arch}.TAG",
            stacklevel=4,
        )


def _normalize_by(model: VisionModel, options: LoadOptions) -> None:
    """Replace mean and standard deviation of the pixels by those that are given."""
    if options.mean not in (None, model.mean):
        model.mean = model.variant["mean"] = options.mean
    if options.std not in (None, model.std):
        model.std = model.variant["std"] = options.std


def _check_size(model: VisionModel) -> None:
    """Refuse a size of the inputs with incomplete patches, or that the module cannot take."""
    embedding, side = getattr(model.module, "patch_embed", None), model.image_size
    if isinstance(embedding, PatchEmbed) and not embedding.dynamic_img_pad:
        patch = math.lcm(*embedding.patch_size)
        if side % patch:
            below, above = side // patch * patch, -(-side // patch) * patch
            right = f"{below} or {above}" if below else above
            raise FeatvizError(
                f"image_size (--image-size) {side} is not a multiple of the {patch} pixels of a "
                f"patch of {model.name}; use {right}"
            )
    model.check_input()


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
    return unknown_model(name)


def find_device(device: str | torch.device) -> torch.device:
    """Find a device.

    Parameters
    ----------
    device : str or torch.device
        See `load`.

    Returns
    -------
    torch.device

    Raises
    ------
    FeatvizError
        If there is no such device here, or it holds no values.
    """
    if not isinstance(device, str | torch.device):
        raise FeatvizError(f"device must be 'auto' or a device of torch, got {described(device)}")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    available = f"available are {', '.join(['auto', 'cpu', *gpus])}"
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ImportError) as error:
        raise FeatvizError(f"no device {str(device)!r} here; {available}") from error
    if found.type == "meta":
        raise FeatvizError(f"device 'meta' holds no values; {available}")
    return found
