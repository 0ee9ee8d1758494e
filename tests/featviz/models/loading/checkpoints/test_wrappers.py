"""Checkpoints of training scripts: entries, prefixes and other parts around the weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.loading.load import load

State = dict[str, Tensor]


def module_of(arch: str, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    module: nn.Module = timm.create_model(arch, **options)
    return module


def under(prefix: str, state: State) -> State:
    return {prefix + name: part for name, part in state.items()}


def logits(module: nn.Module) -> Tensor:
    images = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    with eval_mode(module), torch.no_grad():
        output: Tensor = module(images)
    return output


OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
FORMS: dict[str, Callable[[State], Any]] = {
    "tutorial of PyTorch": lambda state: {
        "epoch": 3,
        "model_state_dict": state,
        "optimizer_state_dict": OPTIMIZER,
        "loss": torch.tensor(0.1),
    },
    "timm": lambda state: {
        "state_dict": state,
        "optimizer": OPTIMIZER,
        "args": argparse.Namespace(lr=0.1),
        "metric": np.float64(0.3),
    },
    "Lightning": lambda state: {
        "pytorch-lightning_version": "2.1.0",
        "state_dict": under("model.", state),
        "optimizer_states": [OPTIMIZER],
        "hyper_parameters": {"lr": 0.1},
    },
    "compiled": lambda state: {"model": under("_orig_mod.", state)},
    "distributed, compiled": lambda state: under("module._orig_mod.", state),
    "net": lambda state: {"net": under("module.", state), "acc": 0.9},
    "net.": lambda state: under("net.", state),
    "model.visual.": lambda state: {"state_dict": under("model.visual.", state)},
    "averaged": lambda state: {
        "model": {name: part + 1 for name, part in state.items()},
        "model_ema": {"module": state},
    },
}


@pytest.mark.parametrize("arch", ["test_vit", "test_convnext", "test_resnet"])
@pytest.mark.parametrize("form", FORMS)
def test_the_logits_of_a_wrapped_checkpoint_are_those_of_the_original(
    form: str, arch: str, tmp_path: Path
) -> None:
    original = module_of(arch)
    path = tmp_path / "it.pth"
    torch.save(FORMS[form](original.state_dict()), path)
    model = load(str(path), arch=arch, device="cpu")
    torch.testing.assert_close(logits(model.module), logits(original), rtol=0, atol=1e-5)


HEAD = {
    "head.mlp.0.weight": torch.ones(3, 64),
    "head.mlp.0.bias": torch.ones(3),
    "head.last_layer.weight_g": torch.ones(3, 1),
}
OTHERS: dict[str, Callable[[State, State], Any]] = {
    "DINO": lambda state, other: {
        "student": under("module.", under("backbone.", other) | HEAD),
        "teacher": under("backbone.", state) | HEAD,
        "optimizer": OPTIMIZER,
        "epoch": 3,
    },
    "DINO, teacher only": lambda state, _: {"teacher": under("backbone.", state) | HEAD},
    "DINOv2 in training": lambda state, other: {
        "model": under("student.backbone.", other)
        | under("teacher.backbone.", state)
        | {"dino_loss.center": torch.ones(1, 3)}
    },
    "DINOv2 in chunks": lambda state, _: {
        "teacher": {
            "backbone." + name.replace("blocks.", "blocks.1."): part for name, part in state.items()
        }
        | {"dino_head.mlp.0.weight": torch.ones(3, 64)}
    },
    "masked autoencoder": lambda state, _: {
        "model": state
        | {"mask_token": torch.zeros(1, 1, 8), "decoder_embed.weight": torch.ones(8, 64)}
    },
    "projection in place of the classifier": lambda state, _: state | HEAD,
    "linear probe": lambda state, _: under("backbone.", state) | {"fc.weight": torch.ones(10, 64)},
    "averaged": lambda state, _: under("module.", state) | {"n_averaged": torch.tensor(3)},
    "distributed, with a queue": lambda state, _: (
        under("module.", state) | {"queue": torch.ones(2)}
    ),
    "MoCo": lambda state, other: {
        "state_dict": under("module.encoder_k.", other)
        | under("module.encoder_q.", state)
        | {"module.queue": torch.ones(2)}
    },
    "MoCo v3": lambda state, other: {
        "state_dict": under("module.momentum_encoder.", other | HEAD)
        | under("module.base_encoder.", state | HEAD)
    },
}


@pytest.mark.parametrize("form", OTHERS)
def test_other_parts_of_a_checkpoint_are_left_out_and_named(form: str, tmp_path: Path) -> None:
    original, other = (
        module_of("test_vit", 0, num_classes=0),
        module_of("test_vit", 1, num_classes=0),
    )
    path = tmp_path / "it.pth"
    torch.save(OTHERS[form](original.state_dict(), other.state_dict()), path)
    with pytest.warns(
        UserWarning, match=r"^\S+it\.pth: loaded test_vit.*, without \d+ tensors? of other"
    ):
        model = load(str(path), arch="test_vit", device="cpu")
    torch.testing.assert_close(logits(model.module), logits(original), rtol=0, atol=1e-5)


def test_two_networks_without_a_teacher_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.pth"
    state = module_of("test_vit").state_dict()
    torch.save(under("left.", state) | under("right.", state), path)
    with pytest.raises(FeatvizError, match=r"several networks .* left\. and right\.; save"):
        load(str(path), arch="test_vit")


def test_a_second_classifier_outside_a_network_does_not_replace_its_own(tmp_path: Path) -> None:
    original = module_of("test_vit")
    path = tmp_path / "it.pth"
    outside = {"head.weight": torch.ones(10, 64), "head.bias": torch.ones(10)}
    torch.save(under("backbone.", original.state_dict()) | outside, path)
    with pytest.warns(UserWarning, match=r"without 2 tensors of other parts: head\.weight, head"):
        model = load(str(path), arch="test_vit", device="cpu")
    torch.testing.assert_close(logits(model.module), logits(original), rtol=0, atol=1e-5)


def test_a_misfit_under_a_prefix_names_the_prefix(tmp_path: Path) -> None:
    state = module_of("test_vit").state_dict()
    del state["norm.weight"]
    path = tmp_path / "it.pth"
    torch.save({"state_dict": under("model.", state) | {"loss.weight": torch.ones(1)}}, path)
    complaint = r"does not fit test_vit, under 'state_dict\.model\.': .* 1 missing: norm\.weight$"
    with pytest.raises(FeatvizError, match=complaint):
        load(str(path), arch="test_vit")


def test_a_file_with_half_of_the_weights_is_refused(tmp_path: Path) -> None:
    state = module_of("test_vit").state_dict()
    path = tmp_path / "it.pth"
    torch.save(dict(list(state.items())[: len(state) // 2]), path)
    with pytest.raises(FeatvizError, match=r"does not fit test_vit: tensors \d+ missing: blocks\."):
        load(str(path), arch="test_vit")
