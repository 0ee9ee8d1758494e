from __future__ import annotations

import socket
import time
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import HTTPError

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants

from featviz.errors import FeatvizError
from featviz.models.loading.download import downloading
from featviz.models.loading.load import load


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No host has an address, no cache holds anything, and nobody may wait for it to change."""

    def nowhere(*_: Any, **__: Any) -> NoReturn:
        raise socket.gaierror(-2, "Name or service not known")

    def patience(_: float) -> NoReturn:
        raise AssertionError("waited for a network that is not there")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(time, "sleep", patience)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for proxy in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(proxy, raising=False)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "test_vit",
            r"^cannot fetch test_vit \(.* cannot be reached\); use --untrained .* --arch test_vit$",
        ),
        (
            "torchvision/squeezenet1_1",
            r"^cannot fetch torchvision/.* \(download\.pytorch\.org cannot be reached\); use ",
        ),
        (
            "hf-hub:timm/test_vit.r160_in1k",
            r"cannot be reached\); download it with `hf download timm/test_vit\.r160_in1k ",
        ),
    ],
)
def test_without_a_network_the_error_says_what_to_do_instead(name: str, complaint: str) -> None:
    before = (constants.HF_HUB_OFFLINE, socket.getdefaulttimeout())
    with pytest.raises(FeatvizError, match=complaint):
        load(name)
    assert (constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()) == before


@pytest.mark.usefixtures("no_network")
def test_what_was_fetched_once_needs_no_network(tmp_path: Path) -> None:
    module = timm.create_model("test_vit")
    repository = tmp_path / "models--timm--test_vit.r160_in1k"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    safetensors.torch.save_file(module.state_dict(), snapshot / "model.safetensors")
    loaded = load("test_vit", device="cpu").module.state_dict()
    assert torch.equal(loaded["cls_token"], module.state_dict()["cls_token"])


def answer(problem: Exception) -> Callable[..., NoReturn]:
    def urlopen(*_: Any, **__: Any) -> NoReturn:
        raise problem

    return urlopen


def test_a_server_that_refuses_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = HTTPError("https://a.test", 403, "Forbidden", Message(), None)
    monkeypatch.setattr("featviz.models.loading.download.urlopen", answer(refusal))
    with downloading("it", "https://a.test", "wait"):
        assert constants.HF_HUB_OFFLINE is False


def test_a_server_that_is_too_slow_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featviz.models.loading.download.urlopen", answer(TimeoutError()))
    with downloading("it", "https://a.test", "wait"):
        assert constants.HF_HUB_OFFLINE is True


@pytest.mark.parametrize(
    ("problem", "complaint"),
    [
        (OSError("no space left"), r"^cannot fetch it \(no space left\); try that$"),
        (RuntimeError("first line\nsecond line"), r"^cannot fetch it \(first line\); try that$"),
        (KeyError("architecture"), r"\(its configuration lacks 'architecture'\)"),
        (ValueError(), r"\(ValueError\)"),
    ],
)
def test_a_failed_download_is_reported_in_one_line(
    problem: Exception, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: True)
    with (
        pytest.raises(FeatvizError, match=complaint),
        downloading("it", "https://a.test", "try that"),
    ):
        raise problem
