"""Image processors of Hugging Face: the mean and standard deviation of a model's pixels."""

from __future__ import annotations

import re
from pathlib import Path

from featviz.models.loading.huggingface.json_config import JsonConfig, read_json
from featviz.models.loading.options import Rgb, rgb

Statistics = tuple[Rgb, Rgb]
"""Mean and standard deviation of RGB in [0, 1]."""

HALF: Statistics = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP: Statistics = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)

_STEPS = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
"""Defaults of every image processor."""

_CLASSES = {"Bit": CLIP, "CLIP": CLIP, "DINOv3ViT": IMAGENET}
"""Defaults of an image processor by its class; those of other vision transformers are `HALF`."""

_CHANGED_PIXELS = ("do_flip_channel_order", "do_grayscale", "rescale_offset")
"""Steps after which pixels are not a linear function of their own channel, or have an offset."""


def pixel_statistics(folder: Path, default: Statistics) -> Statistics:
    """Read how a folder's image processor scales and normalizes pixels.

    As in the transformers library, the object ``image_processor`` of ``processor_config.json``
    takes precedence over ``preprocessor_config.json``. A `rescale_factor` other than 1/255 and
    steps that are left out are folded into mean and standard deviation. Sizes are not read: the
    input size is that of the model's configuration.

    Parameters
    ----------
    folder : Path
    default : ((float, float, float), (float, float, float))
        For a folder without an image processor.

    Returns
    -------
    mean, std : (float, float, float)
        The pixels of the original are ``(images - mean) / std`` for RGB in [0, 1].

    Raises
    ------
    FeatvizError
        If a file is damaged, or the pixels are anything else.
    """
    config = _processor(folder)
    if config is None:
        return default
    for step in _CHANGED_PIXELS:
        if config.get(step):
            raise config.wrong(step, "false: featviz feeds RGB images, scaled and normalized")
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if config.get("do_normalize"):
        mean, std = _per_channel(config, "image_mean"), _per_channel(config, "image_std")
        if min(std) <= 0:
            raise config.wrong("image_std", "three positive numbers")
    scale = 255.0
    if config.get("do_rescale"):
        scale *= config.number("rescale_factor")
        if not scale:
            raise config.wrong("rescale_factor", "a positive number")
    if abs(scale - 1) < 1e-9:
        return mean, std
    return _divided(mean, scale), _divided(std, scale)


def _processor(folder: Path) -> JsonConfig | None:
    processor, preprocessor = folder / "processor_config.json", folder / "preprocessor_config.json"
    config = None
    if processor.exists() and "image_processor" in (whole := read_json(processor)).entries:
        config = whole.inside("image_processor")
    elif preprocessor.exists():
        config = read_json(preprocessor)
    if config is None:
        return None
    kind = config.get("image_processor_type") or config.get("feature_extractor_type") or ""
    name = re.split("ImageProcessor|FeatureExtractor", str(kind))[0]
    mean, std = _CLASSES.get(name, HALF)
    return config.with_defaults({**_STEPS, "image_mean": list(mean), "image_std": list(std)})


def _per_channel(config: JsonConfig, key: str) -> Rgb:
    """Return three numbers, one per channel, or one for all."""
    value = config.get(key)
    values = value if isinstance(value, list) else [value] * 3
    return rgb(f"{config.path}: {config.parent}{key}", values)


def _divided(values: Rgb, scale: float) -> Rgb:
    red, green, blue = values
    return red / scale, green / scale, blue / scale
