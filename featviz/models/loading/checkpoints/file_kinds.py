"""What a file is that was given as weights, by its first bytes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

_SAVE = "save a plain state dict, best as .safetensors"
_CONVERT = f"featviz reads weights of PyTorch: load them there and {_SAVE}"

# First bytes, what the file is then, and what would be right.
_SIGNATURES = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer to the weights, not the weights",
        "fetch them with `git lfs pull`",
    ),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and TensorFlow write", _CONVERT),
    (b"GGUF", "a GGUF file", _CONVERT),
    (b"\x93NUMPY", "an array of NumPy", _CONVERT),
    (b"\x1f\x8b", "compressed with gzip", "unpack it"),
)

_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")

# Its version, then a text: the program that wrote it.
_ONNX = re.compile(rb"\x08[\x01-\x1f]\x12")

HEAD = 1024
"""Bytes at the start of a file that are enough for `describe`."""


def is_safetensors(path: Path) -> bool:
    """Return whether a file has the header of safetensors, whatever its name.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(9)
    # The length of a JSON object, and its start. No pickle of torch starts so: its byte 8 is in an
    # integer (magic number) or in the header of an entry (zip).
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") > 1


def describe(path: Path) -> str | None:  # noqa: PLR0911  one return a kind
    """Say what a file is that is not a state dict of PyTorch, and what would be right.

    Parameters
    ----------
    path : Path
        A readable file.

    Returns
    -------
    str or None
        Such as ``"is an HTML page, not weights; ..."``; None if the file could be a damaged one.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not head:
        return "is empty; download or save it again"
    for signature, kind, right in _SIGNATURES:
        if head.startswith(signature):
            return f"is {kind}; {right}"
    if text.startswith(_PAGES):
        return (
            "is a web page, not weights; download the file itself, on the Hugging Face Hub by a "
            "link with /resolve/ in place of /blob/"
        )
    if text.startswith((b"{", b"[")) and head.isascii():
        right = "give its folder" if path.name.endswith(".index.json") else "give the weights"
        return f"is a JSON file, not weights; {right}"
    if head[257:262] == b"ustar":
        return "is a tar archive; unpack it"
    if zipfile.is_zipfile(path):
        return _describe_zip(path)
    if path.suffix == ".onnx" or _ONNX.match(head):
        return f"is a model in ONNX; {_CONVERT}"
    return None


def _describe_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    parts = {part for name in names for part in name.split("/")}
    if "constants.pkl" in parts or "code" in parts:
        return (
            "is refused: it is a TorchScript program, not only weights; if you trust it, "
            "save those with torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')"
        )
    if "archived_program.pt" in parts or "serialized_exported_program.json" in parts:
        return f"is refused: it is a program of torch.export, not only weights; {_SAVE}"
    if "data.pkl" in parts:
        return None
    if names and all(name.endswith(".npy") for name in names):
        return f"is an archive of NumPy arrays, as JAX models have; {_CONVERT}"
    return "is a zip archive; unpack it"
