"""A look at a gallery through a server, on this machine alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError

HOST = "127.0.0.1"  # nobody else can reach it


class _Handler(SimpleHTTPRequestHandler):
    """Serve files without a word, never from a cache that the next export would make stale."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".webp": "image/webp",
        ".avif": "image/avif",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing: a page makes hundreds of requests."""


def serve(folder: str | Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve a folder to this machine until Ctrl-C.

    Parameters
    ----------
    port : int
        0 takes any that is free.
    ready : callable
        Is told the address of the page once it can be opened.

    Raises
    ------
    FeatvizError
        If the port cannot be had.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FeatvizError(
            f"cannot serve at port {port}: {reason}; name another by --port"
        ) from error
    with server:
        ready(f"http://{HOST}:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
