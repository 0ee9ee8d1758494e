"""Free memory of a device, and out-of-memory errors."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

# Linux control groups, and the file that names the group of this process.
GROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")

MEMORY_SHARE = 0.4
"""Fraction of the free memory for the saved activations of a batch; the rest is for temporaries."""


def free_memory(device: torch.device) -> int:
    """Return the bytes that can be allocated on a device now, within the limit of a container.

    Parameters
    ----------
    device : torch.device
        A CUDA device; for any other, the main memory is measured.

    Returns
    -------
    int
        Bytes. Half of the physical memory where the system has no ``/proc/meminfo``.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    return min([free, *_free_in_control_groups(GROUPS, MEMBERSHIP)])


def _free_in_control_groups(groups: Path, membership: Path) -> Iterator[int]:
    """Yield the free bytes of the control group of this process and of each enclosing group.

    File pages that were not used lately count as free, as in ``MemAvailable``: the kernel drops
    them when memory is requested.

    Source: "Control Group v2" in the Linux kernel's documentation. Version 1 is not supported.
    """
    lines = membership.read_text().splitlines() if membership.exists() else []
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    # Groups outside the container's namespace are named with dots and cannot be read.
    innermost = groups / own.lstrip("/")
    for group in (innermost, *innermost.parents):
        if not group.is_relative_to(groups):
            return
        limit, used, statistics = (group / f"memory.{name}" for name in ("max", "current", "stat"))
        if not (limit.exists() and used.exists()):
            continue
        maximum = limit.read_text().strip()
        if maximum != "max":
            stat = dict(line.split() for line in statistics.read_text().splitlines())
            yield int(maximum) - int(used.read_text()) + int(stat["inactive_file"])


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that a smaller batch might fit into memory.

    Parameters
    ----------
    error : BaseException
        `MemoryError`, `torch.OutOfMemoryError`, or a `RuntimeError` of PyTorch's CPU allocator or
        of cuBLAS counts as out of memory.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    signs = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def release_free_memory() -> None:
    """Return freed memory of the C heap to the operating system, where the C library supports it.

    glibc keeps free memory below a block that is still in use. A few small long-lived blocks among
    the large ones of every batch made a pass over 5,000 images grow by 350 MB, all of it free
    (measured).

    Source: ``malloc_trim(3)``.
    """
    # Only a dynamically linked glibc exports it.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
