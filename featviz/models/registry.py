"""The models that have a name: bundled, torchvision's and timm's."""

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
from featviz.models.download import published
from featviz.models.vision_model import VisionModel

SEED = 0
"""Of every untrained model, so that its weights and fingerprint are always the same."""

BUNDLED, TORCHVISION, HUB = "cueworld/", "torchvision/", "hf-hub:"


def known_models() -> list[str]:
    """Every name that `featviz.load` takes: bundled models, then torchvision's, then timm's.

    A name of timm may be followed by the tag of its weights, and ``hf-hub:OWNER/MODEL`` names
    one that is published there in timm's format.
    """
    return [
        *(BUNDLED + name for name in cueworld.WEIGHTS),
        *(TORCHVISION + name for name in _torchvision_names()),
        *timm.list_models(),
    ]


def is_known(name: str) -> bool:
    """Whether `build` takes the name."""
    if name.startswith(BUNDLED):
        return name.removeprefix(BUNDLED) in cueworld.WEIGHTS
    if name.startswith(TORCHVISION):
        return name.removeprefix(TORCHVISION) in _torchvision_names()
    plain, dot, _ = name.partition(".")
    return name.startswith(HUB) or (
        timm.is_model(plain) and (not dot or name in timm.list_pretrained(f"{plain}.*"))
    )


def unknown(name: str, kind: str = "model, file or folder") -> FeatvizError:
    """Say that nothing of a kind has this name, and which names come near."""
    plain, dot, tag = name.partition(".")
    if dot and timm.is_model(plain):
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{plain}.*")]
        there = f"there are {', '.join(tags)}" if tags else "it has none"
        return FeatvizError(f"{plain} has no weights tagged {tag!r}; {there}")
    close = did_you_mean(name, known_models()) or "; `featviz models` lists what there is"
    return FeatvizError(f"no {kind} is called {name!r}{close}")


def build(name: str, trained: bool, classes: int | None = None) -> VisionModel:
    """Make a model of a known name, on the CPU, with trained or reproducibly random weights.

    Parameters
    ----------
    name : str
        One for which `is_known` holds.
    trained : bool
        Load the published weights: from the package, a cache or the network.
    classes : int, optional
        Number of outputs of an untrained model of timm or torchvision, 0 for none; as published
        if not given.

    Raises
    ------
    FeatvizError
        If trained weights do not exist or cannot be fetched, or inputs are no square RGB images.
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
    """Draw initial weights from one fixed stream, and leave the caller's as it was."""
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
        # As with their published weights: inputs re-normalized inside, no heads for training.
        options = {**options, "transform_input": True, "aux_logits": False, "init_weights": False}
    with published(name, weights.url, _instead(name)) if trained else nullcontext():
        chosen = weights if trained else None
        module = torchvision.models.get_model(short, weights=chosen, **options)
    preset = weights.transforms()
    size = getattr(module, "image_size", preset.crop_size[0])
    classes = tuple(weights.meta["categories"]) if trained else ()
    return VisionModel(name, module, size, tuple(preset.mean), tuple(preset.std), classes)


def _timm(name: str, trained: bool, options: dict[str, Any]) -> VisionModel:
    remote = name.startswith(HUB)
    if trained and not remote and not _is_published(name):
        raise FeatvizError(f"nobody published trained weights of {name}; {_instead(name)}")
    instead = "use a file of its weights with --arch NAME" if remote else _instead(name)
    with published(name, constants.ENDPOINT, instead) if trained or remote else nullcontext():
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
    """Names that came with the weights, else those of the ImageNet of as many classes."""
    labels = module.pretrained_cfg.get("label_names")
    if not labels and (subset := infer_imagenet_subset(module)):
        labels = ImageNetInfo(subset).label_descriptions()
    return tuple(labels) if labels and len(labels) == module.num_classes else ()


def _instead(name: str) -> str:
    return f"use --untrained for random weights, or a file of weights with --arch {name}"
