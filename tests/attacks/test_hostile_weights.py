"""Malicious weight files, which must be refused without running their code."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from featviz.errors import FeatvizError
from featviz.models.loading.load import load


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "write",
    [
        torch.save,
        lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
        lambda content, path: path.write_bytes(pickle.dumps(content)),
    ],
    ids=["zip", "legacy", "plain pickle"],
)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_code_in_a_pickle_does_not_run(write: Any, suffix: str, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / f"evil{suffix}"
    write({"state_dict": {"weight": Payload(trace)}}, path)
    with pytest.raises(FeatvizError, match=r"evil\S+ (is refused|cannot be read)") as caught:
        load(str(path), arch="test_vit")
    assert not trace.exists()
    assert "\n" not in str(caught.value)


def test_the_payload_runs_without_protection(tmp_path: Path) -> None:
    torch.save(Payload(tmp_path / "trace"), tmp_path / "evil.pth")
    torch.load(tmp_path / "evil.pth", weights_only=False)
    assert (tmp_path / "trace").exists()


def test_a_pickle_named_safetensors_does_not_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.safetensors"
    torch.save({"weight": Payload(trace)}, path)
    with pytest.raises(FeatvizError, match=r"evil\.safetensors is refused: it has Python objects"):
        load(str(path), arch="test_vit")
    assert not trace.exists()


def test_the_error_names_the_objects_in_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "whole.pth"
    torch.save(timm.create_model("test_vit"), path)
    with pytest.raises(FeatvizError, match=r"refused: it has Python objects \(timm\.\S+\)"):
        load(str(path), arch="test_vit")


def test_a_safetensors_header_with_an_impossible_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.safetensors"
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(FeatvizError, match="cannot be read as weights"):
        load(str(path), arch="test_vit")


class Scalar:
    """Calls the function of NumPy that is allowed in pickles, with an object in place of bytes."""

    def __init__(self, path: Path) -> None:
        self.payload = Payload(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return np.float64(0).__reduce__()[0], (np.dtype("O"), self.payload)


def test_a_scalar_of_numpy_carries_no_code(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.pth"
    torch.save({"weight": torch.ones(1), "score": Scalar(trace)}, path)
    with pytest.raises(FeatvizError, match=r"evil\.pth (is refused|cannot be read)"):
        load(str(path), arch="test_vit")
    assert not trace.exists()


def test_a_program_of_torchscript_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "program.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.jit
        program.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)).save(path)
    complaint = r"is refused: it is a TorchScript program, .*torch\.jit\.load\(FILE\)\.state_dict"
    with pytest.raises(FeatvizError, match=complaint):
        load(str(path), arch="test_vit")
