"""Random generators derived from a seed and other keys."""

from __future__ import annotations

import hashlib

import torch


def generator_for(*keys: object) -> torch.Generator:
    """Make a random generator whose state depends on the given keys only.

    Parameters
    ----------
    *keys : object
        Such as a purpose, a seed and an index; their `str` forms are hashed.

    Returns
    -------
    torch.Generator
        On the CPU.
    """
    digest = hashlib.sha256("/".join(map(str, keys)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
