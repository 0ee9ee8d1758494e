"""Public names, contents of the wheel, and side effects of importing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import featviz
import gallery
import patching

ROOT = Path(__file__).parents[1]
PACKAGES = ("featviz", "patching", "gallery", "cli")
DATA = [
    "featviz/py.typed",
    "gallery/py.typed",
    "patching/py.typed",
    "cli/py.typed",
    "gallery/static/model.js",
    "gallery/static/model.css",
    "gallery/templates/index.html",
    *(
        f"featviz/cueworld/weights/{name}.safetensors"
        for name in ("vit", "vit_colourblind", "mixer", "resnet")
    ),
]
SOURCES = sorted(
    path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")
)


def test_the_public_names_of_featviz_are_these() -> None:
    assert sorted(featviz.__all__) == [
        "Combination",
        "FeatvizError",
        "Readout",
        "Rendering",
        "SparseAutoencoder",
        "Store",
        "Unit",
        "VisionModel",
        "combine",
        "load",
        "load_sae",
        "readout",
        "render",
        "units",
        "wrap",
    ]
    assert all(callable(getattr(featviz, name)) for name in featviz.__all__)


def test_the_public_names_of_gallery_are_these() -> None:
    assert gallery.__all__ == ["export"]
    assert callable(gallery.export)


def test_the_public_names_of_patching_are_these() -> None:
    assert sorted(patching.__all__) == [
        "Table",
        "averages",
        "corruption",
        "groups",
        "read_traces",
        "set_latents",
        "sweep",
        "trace_to_store",
        "validate_to_store",
    ]
    assert all(callable(getattr(patching, name)) for name in patching.__all__)


def test_the_data_files_of_the_wheel_exist() -> None:
    assert [name for name in DATA if not (ROOT / name).is_file()] == []


IMPORTING = """
import random, threading
import numpy, timm, torch, torchvision, h5py, PIL.Image, click, tqdm, safetensors.torch
import sklearn.cluster  # its dependency joblib draws from `random` on import

def state():
    return (
        torch.get_rng_state().tolist(), random.getstate(), str(numpy.random.get_state()),
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled(),
        torch.cuda.is_initialized(), PIL.Image.MAX_IMAGE_PIXELS, threading.active_count(),
    )

before = state()
import cli.main, featviz, gallery, patching
assert state() == before
"""


def test_importing_changes_no_global_state_and_prints_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:featviz", "-c", IMPORTING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_the_wheel_contains_every_source_and_data_file(tmp_path: Path) -> None:
    # `make` installs uv next to the interpreter. It fetches the build backend.
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv is not None
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {*SOURCES, *DATA} <= names
    assert not any(name.startswith("gallery/browser/") for name in names)  # its sources
    packages = {name.split("/")[0] for name in names if not name.startswith("featviz-")}
    assert packages == {source.split("/")[0] for source in SOURCES}
    (scripts,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "featviz = cli.main:main" in zipfile.ZipFile(wheel).read(scripts).decode()
