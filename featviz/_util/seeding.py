"""Random generators derived from a seed and names."""

from __future__ import annotations

import hashlib

import torch


def generator_for(*names: object) -> torch.Generator:
    """Make the random generator_for of this name; it depends on nothing else."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
