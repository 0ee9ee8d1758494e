"""Run a job in child processes, killing each at a different system call."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store.made_stores import BATCHES, CONFIGURATION, finish, renders, writer

CALLS = ("open", "write", "fsync", "close", "replace", "rename", "mkdir", "ftruncate", "unlink")
OTHER = CONFIGURATION | {"steps": 99}
Act = Callable[[int, str, Callable[..., Any], tuple[Any, ...]], Any]


def render(folder: Path) -> Iterable[str]:
    """Run the whole job, in a folder whose parent does not exist."""
    return finish(folder / "new" / "store")


def force(folder: Path) -> Iterable[str]:
    """Run a small job that replaces a store of another configuration."""
    return finish(folder / "store", BATCHES[:1], force=True)


def pack_up(folder: Path) -> Iterable[str]:
    """Pack a complete store."""
    pack(Store(folder / "store"), folder / "packed.h5")
    yield "packed.h5"


def before_force(folder: Path) -> None:
    list(finish(folder / "store", BATCHES[:1], configuration=OTHER))


def before_pack(folder: Path) -> None:
    writer(folder / "store").add(renders(BATCHES[0]))


JOBS: dict[str, tuple[Callable[[Path], object], Callable[[Path], Iterable[str]]]] = {
    "render": (Path.mkdir, render),
    "force": (before_force, force),
    "pack": (before_pack, pack_up),
}


def intercept(act: Act) -> None:
    """Pass every system call to `act`, with its index."""
    index = -1

    def replaced(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def intercepted(*arguments: Any, **options: Any) -> Any:
            nonlocal index
            index += 1
            return act(index, name, lambda *given: call(*given, **options), arguments)

        return intercepted

    for name in CALLS:
        setattr(os, name, replaced(name, getattr(os, name)))


def no_sync(fd: object) -> None:
    """Do nothing: data that was written survives a kill without fsync."""


def kill(at: int, moment: str) -> Act:
    """Kill this process before a call, or after half of a write."""

    def act(index: int, name: str, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if index != at:
            return call(*arguments)
        if moment == "half":
            call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        return os.kill(os.getpid(), signal.SIGKILL)

    return act


def child(job: str, folder: Path, act: Act) -> int:
    """Run the job in a child process; return its exit status, as `os.wait` does."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1]
    write = os.write
    acknowledged = os.open(folder / "acknowledged", os.O_CREAT | os.O_WRONLY)
    try:
        os.fsync = no_sync
        intercept(act)
        for address in JOBS[job][1](folder):
            write(acknowledged, f"{address}\n".encode())
    except BaseException as error:  # noqa: BLE001 - the child must not continue in the parent's code
        write(2, f"{error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def crash(job: str, root: Path) -> None:
    """Run a job to its end in the folder ``whole``, then once for each of its system calls.

    Each case has a folder under `root`, named after the index and name of the call and the moment
    of the kill. Its file ``acknowledged`` lists the rows that the child has acknowledged. A kill
    after a call is the kill before the next one.
    """
    JOBS[job][0](root / "prepared")
    folder = Path(shutil.copytree(root / "prepared", root / "whole"))
    calls = (root / "calls").open("w", buffering=1)

    def record(index: int, name: str, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        print(name, file=calls)
        return call(*arguments)

    if child(job, folder, record):
        raise SystemExit("the job failed without being killed")
    for at, name in enumerate((root / "calls").read_text().split()):
        for moment in ("before", "half") if name == "write" else ("before",):
            folder = root / f"{at:03d}-{name}-{moment}"
            shutil.copytree(root / "prepared", folder)
            if child(job, folder, kill(at, moment)) != signal.SIGKILL:
                raise SystemExit(f"{folder.name} was not killed")
