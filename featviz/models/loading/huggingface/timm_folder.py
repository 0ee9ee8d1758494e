"""Folders that timm writes, with its own ``config.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.fitting import compare, load_strictly
from featviz.models.loading.checkpoints.timm_conversion import conversion_of
from featviz.models.loading.huggingface.folder_weights import read_weights
from featviz.models.loading.huggingface.json_config import JsonConfig
from featviz.models.loading.registry import from_timm, reproducible
from featviz.models.vision_model import VisionModel

_WRAPPER = "timm_model."
"""Prefix of names in folders of the transformers library's ``TimmWrapper``."""


def load_timm_folder(folder: Path, config: JsonConfig) -> VisionModel:
    """Load a folder as timm loads ``local-dir:FOLDER``.

    Parameters
    ----------
    folder : Path
    config : JsonConfig
        Its ``config.json``: the architecture with its arguments, mean and standard deviation of the
        pixels, and the names of the classes.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If timm cannot make the model, its inputs are not square RGB images, or the weights are
        missing, damaged or do not match.
    """
    if not timm.is_model(str(config.get("architecture"))):
        raise config.wrong("architecture", "one that timm knows; `featviz models` lists all models")
    state, weights = read_weights(folder)
    state = {name.removeprefix(_WRAPPER): part for name, part in state.items()}
    module = _create(folder, config)
    if compare(state, module):
        state = conversion_of(config.get("architecture"))(state, module)
    load_strictly(module, state, weights)
    return from_timm(str(folder), module, trained=True)


def _create(folder: Path, config: JsonConfig) -> Any:
    try:
        with reproducible():
            return timm.create_model(f"local-dir:{folder}")
    except Exception as error:
        # Entries of any type reach the constructor of the architecture.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FeatvizError(
            f"{config.path}: timm cannot make {config.get('architecture')} of it: {reason}"
        ) from error
