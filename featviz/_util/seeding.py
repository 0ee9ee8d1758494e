"""Random generators derived from a seed and other keys."""

from __future__ import annotations

import hashlib

import torch

from featviz._util.arguments import whole_number


def generator_for(*keys: str | int) -> torch.Generator:
    """Make a random generator whose state depends on the given keys only.

    Parameters
    ----------
    *keys : str or int
        Such as a purpose, a seed and an index; their `str` forms are hashed.

    Returns
    -------
    torch.Generator
        On the CPU.

    Raises
    ------
    FeatvizError
        If a key is something else, such as 0.0, which would not have the state of 0.
    """
    texts = (key if isinstance(key, str) else str(whole_number("a seed", key)) for key in keys)
    digest = hashlib.sha256("/".join(texts).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
