"""Names that timm gave to its models before, and what they are called now."""

from __future__ import annotations

import warnings

import timm


def current_name(name: str) -> str:
    """Return the current name of a model of timm, with a warning if the given one is old.

    timm 0.9 moved the data of the training from the name of the architecture to a tag after a dot:
    ``vit_base_patch16_224_in21k`` is ``vit_base_patch16_224.augreg_in21k``.

    Parameters
    ----------
    name : str
        Any name.

    Returns
    -------
    str
        The same name if it is not an old one.
    """
    current = timm.models.get_deprecated_models().get(name)
    if not current:
        return name
    warnings.warn(f"{name} is an old name of timm; loading {current}", stacklevel=3)
    return current
