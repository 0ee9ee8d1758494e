"""timm's own conversions: recorded without loading anything, and harmless to its own names."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import timm
import torch
from timm.models import _builder

from featviz.models.loading.checkpoints.fitting import compare
from featviz.models.loading.checkpoints.timm_conversion import Conversion, _recorded

FIRST = [names[0] for module in timm.list_modules() if (names := timm.list_models(module=module))]


def check(arch: str) -> None:
    with torch.device("meta"):
        module: Any = timm.create_model(arch)
    state = module.state_dict()
    converted = Conversion(arch)(state, module)
    assert not compare(converted, module)
    assert converted.keys() == state.keys()


@pytest.mark.parametrize("arch", ["test_vit", "test_convnext", "test_resnet", "test_efficientnet"])
def test_names_of_timm_are_not_changed(arch: str) -> None:
    check(arch)


@pytest.mark.slow
@pytest.mark.parametrize("arch", FIRST)
def test_names_of_timm_are_not_changed_in_any_family(arch: str) -> None:
    check(arch)


def test_names_that_a_conversion_cannot_read_are_not_changed() -> None:
    with torch.device("meta"):
        module: Any = timm.create_model("convnext_atto")
    state = {"of.another.network": torch.ones(2, 2)}
    assert Conversion("convnext_atto")(state, module) is state


def test_the_state_dict_that_is_given_is_not_changed() -> None:
    with torch.device("meta"):
        module: Any = timm.create_model("vit_small_patch14_dinov2", num_classes=0)
    state = {"mask_token": torch.ones(1, 384), "norm.weight": torch.ones(384)}
    assert "mask_token" not in Conversion("vit_small_patch14_dinov2")(state, module)
    assert state.keys() == {"mask_token", "norm.weight"}


def test_other_threads_still_load_weights_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(_builder, "load_pretrained", lambda *_, **__: calls.append("loaded"))
    before = _builder.load_pretrained
    with _recorded() as filters:
        thread = threading.Thread(target=lambda: timm.create_model("test_vit", pretrained=True))
        thread.start()
        thread.join()
        assert not filters
    assert calls == ["loaded"]
    assert _builder.load_pretrained is before
