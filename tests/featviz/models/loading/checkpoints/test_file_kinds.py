"""Files that are given as weights and are something else."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.read_file import read_content, read_state_dict

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 88217497\n"


def npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, kernel=np.ones(2))
    return content.getvalue()


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("weights/readme.txt", "hello")
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("readme.txt"))
    return content.getvalue()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".bin"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (LFS, r"is a Git LFS pointer .*; fetch them with `git lfs pull`$"),
        (b"\n <!DOCTYPE html><html>", r"is a web page, .* /resolve/ in place of /blob/$"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", r"is a web page, not weights"),
        (json.dumps({"model_type": "vit"}).encode(), r"is a JSON file, not weights; give the"),
        (b"", r"is empty; download or save it again$"),
        (b"\x89HDF\r\n\x1a\n", r"is an HDF5 file, as Keras"),
        (b"GGUF\x03\x00\x00\x00", r"is a GGUF file; featviz reads weights of PyTorch"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", r"is a model in ONNX; featviz reads weights of"),
        (gzip.compress(b"weights", mtime=0), r"is compressed with gzip; unpack it$"),
        (npz(), r"is an archive of NumPy arrays"),
        (zipped(), r"is a zip archive; unpack it$"),
        (tarred(), r"is a tar archive; unpack it$"),
    ],
)
def test_a_file_of_another_kind_is_named(
    content: bytes, complaint: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"it{suffix}"
    path.write_bytes(content)
    with pytest.raises(FeatvizError, match=rf"^{path} {complaint}") as caught:
        read_content(path)
    assert "\n" not in str(caught.value)


def test_an_index_of_several_files_names_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {}}))
    with pytest.raises(FeatvizError, match=r"is a JSON file, not weights; give its folder$"):
        read_content(path)


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".ckpt", ""])
def test_safetensors_are_recognized_under_any_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"it{suffix}"
    safetensors.torch.save_file({"weight": torch.arange(3.0)}, path)
    assert read_state_dict(path)["weight"].tolist() == [0, 1, 2]


def test_a_pickle_is_recognized_under_the_name_of_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    torch.save({"weight": torch.arange(3.0)}, path)
    assert read_state_dict(path)["weight"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "?"])
def test_numbers_of_numpy_beside_the_weights_are_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it.pth"
    torch.save({"model": {"weight": torch.ones(1)}, "best": np.dtype(kind).type(1)}, path)
    assert read_content(path)["best"] == 1
