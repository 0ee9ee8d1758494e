from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from featviz.errors import FeatvizError
from gallery.serve import serve


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a folder until the test is over, and give the address."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<p>here")
    (tmp_path / "site" / "a.webp").write_bytes(b"RIFF")
    (tmp_path / "secret").write_text("mine")
    servers = []

    class Noted(ThreadingHTTPServer):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            servers.append(self)

    monkeypatch.setattr("gallery.serve.ThreadingHTTPServer", Noted)
    urls: list[str] = []
    there = threading.Event()

    def ready(text: str) -> None:
        urls.append(text)
        there.set()

    thread = threading.Thread(target=serve, args=(tmp_path / "site", 0, ready))
    thread.start()
    assert there.wait(20)
    yield urls[0]
    servers[0].shutdown()
    thread.join()


def test_pages_and_pictures_are_served_with_their_types(address: str) -> None:
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert answer.read() == b"<p>here"
        assert answer.headers["Cache-Control"] == "no-cache"
    with urllib.request.urlopen(f"{address}a.webp", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "image/webp"


def test_nothing_outside_the_folder_is_served(address: str) -> None:
    for path in ("../secret", "%2e%2e/secret", "..%2fsecret", "/../secret"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + path, timeout=20)


def test_only_this_machine_is_served(address: str) -> None:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    assert host == "127.0.0.1"
    # On another address of this machine, nobody listens.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", int(port)), timeout=20)


def test_a_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(FeatvizError, match=f"cannot serve on port {port}: .*; choose another"):
            serve(tmp_path, port, lambda _: None)


def test_an_interrupt_ends_it_in_peace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    urls: list[str] = []
    serve(tmp_path, 0, urls.append)
    assert urls[0].startswith("http://127.0.0.1:")
