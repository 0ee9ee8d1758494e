"""What the command line says of weights that do not fit, and of functions that make no model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from tests.cli.running import Run

State = dict[str, Tensor]
DINOV2 = "vit_small_patch14_dinov2"
SMALL: dict[str, Any] = {"embed_dim": 24, "num_heads": 2, "depth": 1}
ARGUMENTS = [word for key, value in SMALL.items() for word in ("--model-arg", f"{key}={value}")]
MORE_TOKENS = (
    f"it.pth does not fit {DINOV2}: tensors 1 mis-shaped: pos_embed is (1, 1371, 24), not "
    "(1, 1370, 24); its positions are of 1371 tokens, 1 more than those of 37 x 37 patches and 1 "
    "prefix token"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dinov2() -> State:
    """Return random weights of 518 pixels."""
    torch.manual_seed(0)
    module: Any = timm.create_model(DINOV2, **SMALL)
    return dict(module.state_dict())


def with_positions(change: Callable[[Tensor], Tensor]) -> State:
    state = dinov2()
    return state | {"pos_embed": change(state["pos_embed"])}


def clip(**others: Tensor) -> State:
    """Return weights under the names of OpenAI CLIP."""
    module: Any = timm.create_model("vit_base_patch32_clip_224", num_classes=8, **SMALL)
    state = {name: torch.zeros_like(part) for name, part in module.state_dict().items()}
    block, own = "visual.transformer.resblocks.0.", "blocks.0."
    names = {
        "visual.class_embedding": state["cls_token"][0, 0],
        "visual.positional_embedding": state["pos_embed"][0],
        "visual.proj": state["head.weight"].T.contiguous(),
        "visual.conv1.weight": state["patch_embed.proj.weight"],
        "text_projection": torch.zeros(8, 8),
        f"{block}attn.in_proj_weight": state[f"{own}attn.qkv.weight"],
        f"{block}attn.in_proj_bias": state[f"{own}attn.qkv.bias"],
    }
    for theirs, ours in (
        ("visual.ln_pre", "norm_pre"),
        ("visual.ln_post", "norm"),
        (f"{block}attn.out_proj", f"{own}attn.proj"),
        (f"{block}ln_1", f"{own}norm1"),
        (f"{block}ln_2", f"{own}norm2"),
        (f"{block}mlp.c_fc", f"{own}mlp.fc1"),
        (f"{block}mlp.c_proj", f"{own}mlp.fc2"),
    ):
        names |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    return names | others


@pytest.mark.parametrize(
    ("state", "words", "line"),
    [
        pytest.param(
            dinov2,
            "--arch vit_huge_patch14_224 --model-arg init_values=1e-5",
            "it.pth was trained at 518 pixels, and vit_huge_patch14_224 takes 224: --image-size "
            "518, or --image-size 224 to resample its positions",
            id="518 pixels for an architecture of 224",
        ),
        pytest.param(
            dinov2,
            f"--arch {DINOV2} --image-size 500",
            "image_size (--image-size) 500 is not a multiple of the 14 pixels of a patch of "
            "it.pth; use 490 or 504",
            id="518 pixels at a size of parts of patches",
        ),
        pytest.param(
            dinov2,
            "--arch vit_small_patch16_224",
            "it.pth does not fit vit_small_patch16_224: tensors 2 unexpected: blocks.0.ls1.gamma, "
            "blocks.0.ls2.gamma; it has patches of 14 x 14 pixels",
            id="518 pixels in other patches",
        ),
        pytest.param(
            lambda: {name.removeprefix("blocks."): part for name, part in dinov2().items()},
            f"--arch {DINOV2}",
            f"it.pth does not fit {DINOV2}: tensors 14 missing: blocks.0.norm1.weight, "
            "blocks.0.norm1.bias, blocks.0.attn.qkv.weight and 11 more; 14 unexpected: "
            "0.norm1.weight, 0.norm1.bias, 0.attn.qkv.weight and 11 more; its names lack the "
            "prefix 'blocks.'",
            id="a missing prefix",
        ),
        pytest.param(
            lambda: {
                f"encoder.{name}": part for name, part in dinov2().items() if name != "norm.bias"
            },
            f"--arch {DINOV2}",
            f"it.pth does not fit {DINOV2}, under 'encoder.': tensors 1 missing: norm.bias",
            id="a missing tensor under a prefix",
        ),
        pytest.param(
            lambda: with_positions(lambda each: torch.cat([each, each[:, :1]], 1)),
            f"--arch {DINOV2}",
            MORE_TOKENS,
            id="one token too many",
        ),
        pytest.param(
            lambda: with_positions(lambda each: torch.cat([each, each[:, :1]], 1)),
            f"--arch {DINOV2} --image-size 224",
            MORE_TOKENS.replace("1370", "257"),
            id="one token too many at another size",
        ),
        pytest.param(
            lambda: with_positions(lambda each: each[:, 1:]),
            f"--arch {DINOV2}",
            MORE_TOKENS.replace("1371", "1369").replace("1 more", "1 fewer"),
            id="one token too few",
        ),
        pytest.param(
            lambda: clip(input_resolution=torch.tensor(224)),
            "--arch vit_base_patch32_clip_224",
            "it.pth has weights of OpenAI CLIP, trained with QuickGELU, and "
            "vit_base_patch32_clip_224 has GELU: --arch vit_base_patch32_clip_quickgelu_224",
            id="QuickGELU",
        ),
        pytest.param(
            clip,
            "--arch vit_base_patch32_clip_224",
            "it.pth has weights of CLIP, and does not record their activation function: --arch "
            "vit_base_patch32_clip_quickgelu_224 for QuickGELU (OpenAI, MetaCLIP, DFN), "
            "--model-arg act_layer=gelu for GELU (LAION, DataComp)",
            id="QuickGELU or GELU",
        ),
    ],
)
def test_weights_that_do_not_fit_are_one_line(
    state: Callable[[], State], words: str, line: str, run: Run, folder: Path
) -> None:
    torch.save(state(), folder / "it.pth")
    found = run("units", "it.pth", *words.split(), *ARGUMENTS).refusal()
    assert found == f"Error: {line}"


@pytest.fixture
def functions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with functions that make no model; their module is forgotten later."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "own_wrong.py").write_text(
        "def net():\n    raise ValueError('no weights\\nhere')\ndef nothing():\n    return None\n"
    )
    yield folder
    sys.modules.pop("own_wrong", None)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("own_wrong:nett", "own_wrong has no function nett; did you mean net?"),
        ("own_wrng:net", "there is no module own_wrng in {folder}"),
        ("own_wrong:net", "net() raised ValueError: no weights ({folder}/own_wrong.py, line 2)"),
    ],
    ids=["no function", "no module", "an exception"],
)
def test_a_function_that_is_not_there_or_raises_is_one_line(
    name: str, line: str, run: Run, functions: Path
) -> None:
    found = run("units", f"py:{name}").refusal()
    assert found == f"Error: py:{name}: {line.format(folder=functions)}"


def test_a_function_that_returns_no_model_is_one_line(run: Run, functions: Path) -> None:
    del functions
    assert run("units", "py:own_wrong:nothing").refusal() == (
        "Error: py:own_wrong:nothing returned NoneType, not a torch.nn.Module or "
        "featviz.VisionModel"
    )
