"""A table of families and forms: a model computes the same, whatever it is loaded from.

Rows are families of vision transformers. Columns are forms of their weights: those of timm, whose
own module with random weights is the original, and folders of the transformers library, which
computed tokens and outputs in advance (see ``tests/oracles/huggingface/make.py``).
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import featviz
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel

ORACLES = Path(__file__).parents[3] / "oracles" / "huggingface"
SMALL: dict[str, Any] = {"embed_dim": 16, "depth": 2, "num_heads": 2}

State = dict[str, Tensor]


@dataclass(frozen=True)
class Family:
    """A row of the table.

    Attributes
    ----------
    arch : str
        Name of timm, with the tag that decides the normalization.
    patch : int
        Side of a patch in pixels; images have 4 by 4 patches.
    prefix : int
        Number of tokens before those of the patches.
    folders : tuple of str
        Its models of the transformers library.
    """

    arch: str
    patch: int
    prefix: int
    folders: tuple[str, ...]

    @property
    def side(self) -> int:
        return 4 * self.patch

    @property
    def loading(self) -> dict[str, Any]:
        return {"image_size": self.side, "model_args": SMALL, "device": "cpu"}

    def module(self, **options: Any) -> nn.Module:
        """Build a small one with random weights, biases and scales."""
        torch.manual_seed(1)
        options = {"img_size": self.side, **SMALL, **options}
        module: nn.Module = timm.create_model(self.arch, **options).eval()
        for weight in module.parameters():
            nn.init.normal_(weight, std=0.3)
        return module


def folders(*patterns: str) -> tuple[str, ...]:
    found = [file.parent for each in patterns for file in ORACLES.glob(f"{each}/config.json")]
    return tuple(sorted(str(folder.relative_to(ORACLES)) for folder in found))


FAMILIES = {
    "ViT": Family("vit_tiny_patch16_224.augreg_in21k_ft_in1k", 16, 1, folders("vit/*")),
    "DeiT": Family("deit_tiny_patch16_224.fb_in1k", 16, 1, ()),
    "DeiT distilled": Family("deit_tiny_distilled_patch16_224.fb_in1k", 16, 2, folders("deit/*")),
    "BEiT": Family("beit_base_patch16_224.in22k_ft_in22k_in1k", 16, 1, folders("beit/*")),
    "DINOv2": Family(
        "vit_small_patch14_dinov2.lvd142m", 14, 1, folders("dinov2/model", "dinov2/classifier")
    ),
    "DINOv2 with registers": Family(
        "vit_small_patch14_reg4_dinov2.lvd142m", 14, 5, folders("dinov2/registers*")
    ),
    "DINOv3": Family("vit_small_patch16_dinov3.lvd1689m", 16, 5, folders("dinov3/*")),
    "CLIP": Family("vit_base_patch32_clip_quickgelu_224.openai", 32, 1, folders("clip/*")),
    "SigLIP": Family("vit_base_patch16_siglip_224.webli", 16, 0, folders("siglip/*")),
}

Loaded = tuple[VisionModel, nn.Module]
"""A model, and the module of timm whose tokens and output it shall have."""


def published(folder: Path) -> Path:
    """Return the file that stands for all files of the Hugging Face Hub."""
    return folder / "published.safetensors"


def by_name(family: Family, folder: Path) -> Loaded:
    original = family.module()
    save_file(original.state_dict(), published(folder))
    return load(family.arch, **family.loading), original


def from_timm_folder(family: Family, folder: Path) -> Loaded:
    original: Any = family.module()
    original.pretrained_cfg |= {"input_size": (3, family.side, family.side)}
    written = folder / "model"
    arguments = {"img_size": family.side, **SMALL}
    timm.models.save_for_hf(original, str(written), model_args=arguments)
    return load(str(written), device="cpu"), original


def from_file(
    wrapped: Callable[[State], Any] = lambda state: state, **options: Any
) -> Callable[[Family, Path], Loaded]:
    def form(family: Family, folder: Path) -> Loaded:
        original = family.module(**options)
        torch.save(wrapped(original.state_dict()), folder / "it.pth")
        return load(str(folder / "it.pth"), arch=family.arch, **family.loading), original

    return form


def at_another_size(family: Family, folder: Path) -> Loaded:
    """Load weights of 4 by 4 patches for images of 6 by 6, as timm does."""
    side, file = 6 * family.patch, str(folder / "it.safetensors")
    save_file(family.module().state_dict(), file)
    model = load(file, arch=family.arch, **family.loading | {"image_size": side})
    with warnings.catch_warnings():
        # About the speed of its resampling.
        warnings.simplefilter("ignore")
        original: nn.Module = timm.create_model(
            family.arch,
            pretrained=True,
            pretrained_cfg_overlay={"file": file},
            img_size=side,
            **SMALL,
        )
    return model, original.eval()


def under(prefix: str) -> Callable[[State], State]:
    return lambda state: {prefix + name: part for name, part in state.items()}


OWN = """
import timm
from safetensors.torch import load_file
from torch import nn


class Own(nn.Module):
    def __init__(self, arch, arguments):
        super().__init__()
        self.backbone = timm.create_model(arch, **arguments)
        self.backbone.load_state_dict(load_file(FILE))

    def forward_features(self, images):
        return self.backbone.forward_features(images)

    def forward(self, images):
        return self.backbone(images)


def make(arch, side, **arguments):
    return Own(arch, {"img_size": side, **arguments})
"""


def from_import_path(family: Family, folder: Path) -> Loaded:
    original: Any = family.module()
    file = folder / "own.safetensors"
    save_file(original.state_dict(), file)
    (folder / "own_forms.py").write_text(OWN.replace("FILE", repr(str(file))))
    model = load(
        f"py:{folder}/own_forms:make",
        image_size=family.side,
        mean=original.pretrained_cfg["mean"],
        std=original.pretrained_cfg["std"],
        model_args={"arch": family.arch, "side": family.side, **SMALL},
        device="cpu",
    )
    return model, original


def wrapped_module(family: Family, folder: Path) -> Loaded:
    del folder
    return featviz.wrap(family.module()), family.module()


FORMS_OF_TIMM: Mapping[str, Callable[[Family, Path], Loaded]] = {
    "name": by_name,
    "folder": from_timm_folder,
    "state dict": from_file(),
    "state dict in 'model'": from_file(lambda state: {"model": state, "epoch": 3}),
    "state dict in 'state_dict'": from_file(lambda state: {"state_dict": state, "epoch": 3}),
    "state dict under module.": from_file(under("module.")),
    "state dict under backbone.": from_file(under("backbone.")),
    "state dict under encoder.": from_file(under("encoder.")),
    "state dict with another classifier": from_file(num_classes=7),
    "state dict of another input size": at_another_size,
    "py:": from_import_path,
    "featviz.wrap": wrapped_module,
}


def as_written(folder: Path) -> None:
    assert [file.suffix for file in folder.glob("model*")] == [".safetensors"]


def in_parts(folder: Path) -> None:
    file = folder / "model.safetensors"
    state = load_file(file)
    places: dict[str, str] = {}
    file.unlink()
    for part in range(3):
        name = f"model-{part + 1:05}-of-00003.safetensors"
        shard = {key: state[key] for key in list(state)[part::3]}
        save_file(shard, folder / name)
        places |= dict.fromkeys(shard, name)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def as_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def with_new_names(folder: Path) -> None:
    (folder / "renamed.safetensors").replace(folder / "model.safetensors")


FORMS_OF_TRANSFORMERS: Mapping[str, Callable[[Path], None]] = {
    "model.safetensors": as_written,
    "model.safetensors in parts": in_parts,
    "pytorch_model.bin": as_pickle,
    "names of transformers 5": with_new_names,
}

# Cells of the table that do not exist.
ONE_SET_OF_NAMES = "transformers 4 and 5 write the same names"
ABSENT = {
    **dict.fromkeys(
        [("DeiT", form) for form in FORMS_OF_TRANSFORMERS],
        "in transformers DeiT has a distillation token; those without one are published as ViT",
    ),
    ("CLIP", "names of transformers 5"): ONE_SET_OF_NAMES,
    ("SigLIP", "names of transformers 5"): ONE_SET_OF_NAMES,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, and a stand-in for the Hub; modules that are imported are forgotten afterwards."""
    file = str(published(tmp_path))
    monkeypatch.setattr("timm.models._hub.hf_hub_download", lambda *_, **__: file)
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("own_forms", None)


def results(module: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tokens that the head reads, and the output."""
    with torch.no_grad():
        return module.forward_features(pixels), module(pixels)


@pytest.mark.parametrize("form", FORMS_OF_TIMM)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_form_of_timm_computes_what_timm_computes(
    family: str, form: str, folder: Path
) -> None:
    row = FAMILIES[family]
    model, original = FORMS_OF_TIMM[form](row, folder)
    images = torch.rand(2, 3, model.image_size, model.image_size)
    config: Any = original.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    expected = results(original, (images - mean) / std)
    found = results(model.module, model.normalize(images))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model(images), expected[1], rtol=1e-5, atol=1e-5)
    assert model.prefix_tokens == row.prefix


@pytest.mark.parametrize(
    ("case", "form"),
    [
        (case, form)
        for family, row in FAMILIES.items()
        for form in FORMS_OF_TRANSFORMERS
        if (family, form) not in ABSENT
        for case in row.folders
    ],
)
def test_every_folder_computes_what_transformers_computes(
    case: str, form: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(ORACLES / case, tmp_path / "model"))
    FORMS_OF_TRANSFORMERS[form](folder)
    model = load(str(folder), device="cpu")
    original = load_file(ORACLES / case / "expected.safetensors")
    images = original["images"][..., : model.image_size, : model.image_size] / 255
    tokens, output = results(model.module, model.normalize(images))
    torch.testing.assert_close(tokens, original["tokens"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output, original["output"], rtol=1e-5, atol=1e-5)


def test_every_folder_is_in_one_row() -> None:
    rows = [case for row in FAMILIES.values() for case in row.folders]
    assert sorted(rows) == list(folders("*/*"))


@pytest.mark.parametrize("family", FAMILIES)
def test_absent_cells_have_no_folder(family: str) -> None:
    cases = FAMILIES[family].folders
    assert bool(cases) == ((family, "model.safetensors") not in ABSENT)
    renamed = [(ORACLES / case / "renamed.safetensors").exists() for case in cases]
    assert all(renamed) if (family, "names of transformers 5") not in ABSENT else not any(renamed)
