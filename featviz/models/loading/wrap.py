"""`wrap`: a model of a module of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timm.layers.patch_embed import PatchEmbed
from torch import nn

from featviz._util.arguments import described, sequence
from featviz.errors import FeatvizError
from featviz.models.loading.options import Rgb, check_mean, check_size, check_std
from featviz.models.vision_model import VisionModel


def wrap(
    module: nn.Module,
    image_size: int | None = None,
    mean: Rgb | None = None,
    std: Rgb | None = None,
    classes: Sequence[str] = (),
    name: str | None = None,
) -> VisionModel:
    """Make a model of a module of your own; it is not copied, moved or frozen.

    Parameters
    ----------
    module : nn.Module
        Takes normalized images of shape (N, 3, image_size, image_size). A compiled module is
        replaced by the original.
    image_size : int, optional
        Side of its square inputs in pixels.
    mean, std : (float, float, float), optional
        Its inputs are ``(images - mean) / std`` for RGB in [0, 1].
        These three are needed, unless the module has the configuration that timm gives its modules
        (``pretrained_cfg``).
    classes : sequence of str
        Names of its outputs.
    name : str, optional
        By default the name of its class.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If it is not a module, an argument is missing, of another type or out of range, or the
        module cannot run on images of this size.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU())
    >>> model = wrap(module, image_size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> list(model.sites)
    ['0']
    """
    if isinstance(module, VisionModel) or not isinstance(module, nn.Module):
        raise FeatvizError(f"wrap needs a torch.nn.Module, got {type(module).__name__}")
    names = sequence("classes", classes, "the names of the outputs")
    for each in names:
        if not isinstance(each, str):
            raise FeatvizError(f"each of classes must be a text, got {described(each)}")
    given = {"image_size": image_size, "mean": mean, "std": std}
    published = published_inputs(module)
    if missing := [key for key in given if given[key] is None and key not in published]:
        raise FeatvizError(f"{type(module).__name__} needs {', '.join(missing)}; see featviz.wrap")
    inputs = {key: published.get(key) if value is None else value for key, value in given.items()}
    if image_size is None:
        inputs["image_size"] = _built_size(module) or published["image_size"]
    model = VisionModel(
        name or type(getattr(module, "_orig_mod", module)).__name__,
        module,
        check_size(inputs["image_size"]),
        check_mean(inputs["mean"]),
        check_std(inputs["std"]),
        tuple(names),
    )
    for key in given:
        if getattr(model, key) != published.get(key):
            model.variant[key] = getattr(model, key)
    model.check_input()
    return model


def published_inputs(module: object) -> dict[str, Any]:
    """Return the inputs that timm records for the weights of a module.

    Parameters
    ----------
    module : object
        Made by ``timm.create_model``, or any other.

    Returns
    -------
    dict
        ``image_size``, ``mean`` and ``std``; empty for another module, and for oblong images.
    """
    config = getattr(module, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or "input_size" not in config:
        return {}
    _, height, width = config["input_size"]
    if height != width:
        return {}
    return {"image_size": height, "mean": tuple(config["mean"]), "std": tuple(config["std"])}


def _built_size(module: nn.Module) -> int | None:
    """Return the side for which timm built the patch embedding of a module, if it has a side."""
    embedding = getattr(module, "patch_embed", None)
    if not isinstance(embedding, PatchEmbed) or embedding.img_size is None:
        return None
    height, width = embedding.img_size
    return height if height == width else None
