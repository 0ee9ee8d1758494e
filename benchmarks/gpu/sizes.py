"""Sizes of the measurements, on a GPU and on a processor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes
    ----------
    model : str
        Of timm, with random weights.
    blocks, batches : tuple of int
        For which steps are timed.
    compiled : tuple of (int, int)
        Block and batch of the steps that are compiled.
    compile_seconds : float
        That compiling a step takes at most; with less time left it is not begun.
    timing : float
        Seconds per timing.
    batch : int or None
        Of all other measurements; None for what the free memory allows.
    matmul : int
        Side of the matrices that give the rate of the device.
    job_units, job_steps : int
        Neurons of each of `blocks` that a job renders, and its steps.
    images : int
        Of the sweep of activation patching.
    """

    model: str
    blocks: tuple[int, ...]
    batches: tuple[int, ...]
    compiled: tuple[tuple[int, int], ...]
    compile_seconds: float
    timing: float
    batch: int | None
    matmul: int
    job_units: int
    job_steps: int
    images: int


SIZES = {
    "cuda": Sizes(
        model="deit_small_patch16_224",
        blocks=(0, 5, 11),
        batches=(512, 64, 16, 256, 1024),
        compiled=((5, 512), (0, 512), (11, 512), (0, 16), (11, 16)),
        compile_seconds=60,
        timing=0.6,
        batch=None,
        matmul=8192,
        job_units=512,
        job_steps=128,
        images=64,
    ),
    # Only to run the whole command where there is no GPU.
    "cpu": Sizes(
        model="deit_tiny_patch16_224",
        blocks=(0, 5, 11),
        batches=(2, 4),
        compiled=((0, 2),),
        compile_seconds=45,
        timing=0.2,
        batch=4,
        matmul=512,
        job_units=2,
        job_steps=3,
        images=1,
    ),
}
