"""Registry of models by name: bundled, of torchvision and of timm."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from huggingface_hub import constants
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from featviz import cueworld
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.loading.download import downloading
from featviz.models.loading.options import LoadOptions
from featviz.models.vision_model import VisionModel

SEED = 0
"""Seed of untrained models, so that their weights and fingerprints are reproducible."""

BUNDLED, TORCHVISION, HUB = "cueworld/", "torchvision/", "hf-hub:"

# As the Hugging Face Hub names its repositories, possibly with the address of their page.
_REPOSITORY = re.compile(r"(?:https://huggingface\.co/)?(?P<id>(?P<owner>[\w.-]+)/[\w.-]+)/?")


def known_models() -> list[str]:
    """Return every name that `featviz.load` accepts: bundled, of torchvision, of timm.

    A name of timm may also have a tag of its weights, and ``hf-hub:OWNER/MODEL`` is a model
    published on the Hugging Face Hub in timm's format.
    """
    return [
        *(BUNDLED + name for name in cueworld.WEIGHTS),
        *(TORCHVISION + name for name in _torchvision_names()),
        *timm.list_models(),
    ]


def is_known(name: str) -> bool:
    """Return whether `build` accepts `name`."""
    if name.startswith(BUNDLED):
        return name.removeprefix(BUNDLED) in cueworld.WEIGHTS
    if name.startswith(TORCHVISION):
        return name.removeprefix(TORCHVISION) in _torchvision_names()
    plain, dot, _ = name.partition(".")
    return name.startswith(HUB) or (
        timm.is_model(plain) and (not dot or name in timm.list_pretrained(f"{plain}.*"))
    )


def normalizations(arch: str) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return mean and standard deviation of each of the published weights of an architecture.

    Parameters
    ----------
    arch : str
        A name for which `is_known` is True.

    Returns
    -------
    list of ((float, float, float), (float, float, float))
        Empty for an architecture other than timm's, and for a name with a tag.
    """
    configs = [timm.get_pretrained_cfg(name) for name in timm.list_pretrained(f"{arch}.*")]
    return [(tuple(config.mean), tuple(config.std)) for config in configs if config is not None]


def unknown_model(name: str, kind: str = "model, file or folder") -> FeatvizError:
    """Make the error for an unknown name, with similar names, or the way to a repository.

    Parameters
    ----------
    name : str
        The name that does not exist.
    kind : str
        What it should be, for the message.

    Returns
    -------
    FeatvizError
    """
    plain, dot, tag = name.partition(".")
    if dot and timm.is_model(plain):
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{plain}.*")]
        available = f"available are {', '.join(tags)}" if tags else "it has none"
        return FeatvizError(f"{plain} has no weights tagged {tag!r}; {available}")
    unknown = f"no {kind} is called {name!r}"
    names, wanted = known_models(), (name.casefold(), f"{TORCHVISION}{name}".casefold())
    same = [each for each in names if each.casefold() in wanted]
    if same:
        return FeatvizError(f"{unknown}; did you mean {', '.join(same)}?")
    repository = _REPOSITORY.fullmatch(name)
    ours = [prefix.rstrip("/") for prefix in (BUNDLED, TORCHVISION)]
    if repository and not get_close_matches(repository["owner"].casefold(), ours, cutoff=0.8):
        if Path(repository["owner"]).is_dir():
            return FeatvizError(f"there is no file or folder {name}")
        return FeatvizError(
            f"{unknown}; if it is a repository of the Hugging Face Hub, "
            f"{_downloaded(repository['id'])}, or give {HUB}{repository['id']} if it is in timm's "
            "format"
        )
    close = did_you_mean(name, names) or "; `featviz models` lists all models"
    return FeatvizError(f"{unknown}{close}")


def _downloaded(repository: str) -> str:
    folder = repository.partition("/")[2]
    return f"download it with `hf download {repository} --local-dir {folder}` and give that folder"


def build(
    name: str,
    trained: bool,
    classes: int | None = None,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> VisionModel:
    """Make a model of a known name, on the CPU, with trained or reproducibly random weights.

    Parameters
    ----------
    name : str
        A name for which `is_known` is True.
    trained : bool
        Load the published weights: from the package, a cache or the network.
    classes : int, optional
        Number of outputs of an untrained model of timm or torchvision, 0 for none; by default as
        published.
    image_size : int, optional
        Side of the inputs in pixels; by default as published. The weights are adapted as timm does.
    model_args : mapping, optional
        Further arguments of the architecture in timm or torchvision.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there are no trained weights, they cannot be downloaded, the inputs are not square RGB
        images, or the architecture does not take the size or an argument.
    """
    given = LoadOptions(image_size=image_size, model_args=dict(model_args or {})).to_words()
    options = dict(model_args or {}) | ({} if classes is None else {"num_classes": classes})
    with reproducible(), _accepting(name, " ".join(given)):
        if name.startswith(BUNDLED):
            if model_args:
                raise FeatvizError(
                    f"{name} is bundled as it is; it takes no model_args (--model-arg)"
                )
            model = _bundled(name, trained, image_size)
        elif name.startswith(TORCHVISION):
            model = _torchvision(name, trained, options, image_size)
        else:
            model = _timm(name, trained, options, image_size)
    if image_size not in (None, model.image_size):
        model.image_size = model.variant["image_size"] = image_size
    return model


@contextmanager
def reproducible() -> Iterator[None]:
    """Seed the global random state while the ``with`` block runs, and restore it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        yield


def _bundled(name: str, trained: bool, image_size: int | None) -> VisionModel:
    short = name.removeprefix(BUNDLED)
    module = cueworld.build(short, image_size or cueworld.SIZE)
    if trained:
        state = cueworld.weights(short)
        if isinstance(module, VisionTransformer):
            state = checkpoint_filter_fn(state, module)
        with _fitting(name):
            module.load_state_dict(state)
    mean, std = (cueworld.MEAN,) * 3, (cueworld.STD,) * 3
    return VisionModel(name, module, cueworld.SIZE, mean, std, classes=tuple(cueworld.CLASSES))


def _torchvision_names() -> list[str]:
    return list(torchvision.models.list_models(module=torchvision.models))


def _torchvision(
    name: str, trained: bool, options: dict[str, Any], image_size: int | None
) -> VisionModel:
    short = name.removeprefix(TORCHVISION)
    weights = torchvision.models.get_model_weights(short).DEFAULT
    if short in ("googlenet", "inception_v3") and not trained:
        # As with published weights: inputs are renormalized inside, no auxiliary heads.
        options = {**options, "transform_input": True, "aux_logits": False, "init_weights": False}
    sized = image_size is not None and short.startswith("vit_")
    if sized:
        options = {**options, "image_size": image_size}
    if trained and options:
        # A wrong argument is not a failed download.
        torchvision.models.get_model(short, **options)
    with downloading(name, weights.url, _instead(name)) if trained else nullcontext():
        chosen = weights if trained and not sized else None
        module = torchvision.models.get_model(short, weights=chosen, **options)
        if trained and sized:
            module.load_state_dict(resampled(weights.get_state_dict(check_hash=True), module))
    preset = weights.transforms()
    size = getattr(module, "image_size", preset.crop_size[0])
    classes = tuple(weights.meta["categories"]) if trained else ()
    return VisionModel(name, module, size, tuple(preset.mean), tuple(preset.std), classes)


def resampled(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Resample the position embeddings of a vision transformer of torchvision as timm does.

    Parameters
    ----------
    state : dict of str to Tensor
    module : nn.Module
        Of torchvision.

    Returns
    -------
    dict of str to Tensor
        The same state dict if it has no position embeddings.
    """
    name = "encoder.pos_embedding"
    if name not in state or name not in module.state_dict():
        return state
    side = math.isqrt(module.get_parameter(name).shape[1] - 1)
    return {**state, name: resample_abs_pos_embed(state[name], [side, side])}


def _timm(name: str, trained: bool, options: dict[str, Any], image_size: int | None) -> VisionModel:
    remote = name.startswith(HUB)
    if trained and not remote and not _is_published(name):
        raise FeatvizError(f"timm has no trained weights of {name}; {_instead(name)}")
    if trained and not remote and (options or image_size is not None):
        # A wrong argument is not a failed download.
        _create(name, False, options, image_size)
    repository = name.removeprefix(HUB).partition("@")[0]
    instead = _downloaded(repository) if remote else _instead(name)
    with downloading(name, constants.ENDPOINT, instead) if trained or remote else nullcontext():
        try:
            module = _create(name, trained, options, image_size)
        except KeyError as error:
            if not remote or error.args != ("architecture",):
                raise
            raise FeatvizError(
                f"{name} is not in timm's format: its configuration names no architecture of "
                f"timm; {_downloaded(repository)}"
            ) from error
    return from_timm(name, module, trained)


def from_timm(name: str, module: Any, trained: bool) -> VisionModel:
    """Make a model of a module of timm, as its configuration describes it.

    Parameters
    ----------
    name : str
    module : nn.Module
        Made by ``timm.create_model``.
    trained : bool
        Whether it has the weights of its configuration, and so the names of its classes.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If its inputs are not square RGB images.
    """
    config = module.pretrained_cfg
    channels, height, width = config["input_size"]
    if channels != 3 or height != width:
        raise FeatvizError(
            f"{name} takes {channels} channels of {height} x {width} pixels; "
            "featviz needs a model of square RGB images"
        )
    classes = _timm_classes(module) if trained else ()
    return VisionModel(name, module, height, tuple(config["mean"]), tuple(config["std"]), classes)


def _create(name: str, trained: bool, options: dict[str, Any], image_size: int | None) -> Any:
    """Create a module of timm for images of a size."""
    with _fitting(name):
        if image_size is not None:
            try:
                return timm.create_model(name, pretrained=trained, img_size=image_size, **options)
            except TypeError as error:
                # An architecture without this argument takes images of any size.
                if "'img_size'" not in str(error):
                    raise
        return timm.create_model(name, pretrained=trained, **options)


@contextmanager
def _accepting(name: str, given: str) -> Iterator[None]:
    """Raise one line if an architecture cannot be built with the options that are `given`."""
    try:
        yield
    except FeatvizError:
        raise
    except Exception as error:
        if not given:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FeatvizError(f"{name} cannot be built with {given}: {reason}") from error


@contextmanager
def _fitting(name: str) -> Iterator[None]:
    """Raise one line if published weights do not fit the options of their architecture."""
    try:
        yield
    except RuntimeError as error:
        title, *faults = str(error).splitlines()
        if not title.startswith("Error(s) in loading state_dict"):
            raise
        fault = faults[0].partition(": copying")[0].partition(",")[0].strip()
        raise FeatvizError(
            f"the published weights of {name} do not fit these options: {fault}"
        ) from error


def _is_published(name: str) -> bool:
    config = timm.get_pretrained_cfg(name)
    return config is not None and bool(config.has_weights)


def _timm_classes(module: Any) -> tuple[str, ...]:
    """Class names of the weights, else of the ImageNet subset with the same number of classes."""
    labels = module.pretrained_cfg.get("label_names")
    if not labels and (subset := infer_imagenet_subset(module)):
        labels = ImageNetInfo(subset).label_descriptions()
    return tuple(labels) if labels and len(labels) == module.num_classes else ()


def _instead(name: str) -> str:
    return f"use --untrained for random weights, or a file of weights with --arch {name}"
