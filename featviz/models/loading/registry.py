"""Registry of models by name: bundled, of torchvision and of timm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import timm
import torch
import torchvision
from huggingface_hub import constants
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

from featviz import cueworld
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.loading.download import downloading
from featviz.models.vision_model import VisionModel

SEED = 0
"""Seed of untrained models, so that their weights and fingerprints are reproducible."""

BUNDLED, TORCHVISION, HUB = "cueworld/", "torchvision/", "hf-hub:"


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


def unknown_model(name: str, kind: str = "model, file or folder") -> FeatvizError:
    """Make the error for an unknown name, with similar names.

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
    close = did_you_mean(name, known_models()) or "; `featviz models` lists all models"
    return FeatvizError(f"no {kind} is called {name!r}{close}")


def build(name: str, trained: bool, classes: int | None = None) -> VisionModel:
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

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there are no trained weights, they cannot be downloaded, or the inputs are not square
        RGB images.
    """
    options = {} if classes is None else {"num_classes": classes}
    with _reproducible():
        if name.startswith(BUNDLED):
            return _bundled(name, trained)
        if name.startswith(TORCHVISION):
            return _torchvision(name, trained, options)
        return _timm(name, trained, options)


@contextmanager
def _reproducible() -> Iterator[None]:
    """Seed the global random state while the ``with`` block runs, and restore it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        yield


def _bundled(name: str, trained: bool) -> VisionModel:
    short = name.removeprefix(BUNDLED)
    module = cueworld.build(short)
    if trained:
        module.load_state_dict(cueworld.weights(short))
    mean, std = (cueworld.MEAN,) * 3, (cueworld.STD,) * 3
    return VisionModel(name, module, cueworld.SIZE, mean, std, classes=tuple(cueworld.CLASSES))


def _torchvision_names() -> list[str]:
    return list(torchvision.models.list_models(module=torchvision.models))


def _torchvision(name: str, trained: bool, options: dict[str, Any]) -> VisionModel:
    short = name.removeprefix(TORCHVISION)
    weights = torchvision.models.get_model_weights(short).DEFAULT
    if short in ("googlenet", "inception_v3") and not trained:
        # As with published weights: inputs are renormalized inside, no auxiliary heads.
        options = {**options, "transform_input": True, "aux_logits": False, "init_weights": False}
    with downloading(name, weights.url, _instead(name)) if trained else nullcontext():
        chosen = weights if trained else None
        module = torchvision.models.get_model(short, weights=chosen, **options)
    preset = weights.transforms()
    size = getattr(module, "image_size", preset.crop_size[0])
    classes = tuple(weights.meta["categories"]) if trained else ()
    return VisionModel(name, module, size, tuple(preset.mean), tuple(preset.std), classes)


def _timm(name: str, trained: bool, options: dict[str, Any]) -> VisionModel:
    remote = name.startswith(HUB)
    if trained and not remote and not _is_published(name):
        raise FeatvizError(f"there are no trained weights of {name}; {_instead(name)}")
    instead = "use a file of its weights with --arch NAME" if remote else _instead(name)
    with downloading(name, constants.ENDPOINT, instead) if trained or remote else nullcontext():
        module: Any = timm.create_model(name, pretrained=trained, **options)
    config = module.pretrained_cfg
    channels, height, width = config["input_size"]
    if channels != 3 or height != width:
        raise FeatvizError(
            f"{name} takes {channels} channels of {height} x {width} pixels; "
            "featviz needs a model of square RGB images"
        )
    classes = _timm_classes(module) if trained else ()
    return VisionModel(name, module, height, tuple(config["mean"]), tuple(config["std"]), classes)


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
