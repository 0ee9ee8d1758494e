"""Local web server for a gallery."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError

HOST = "127.0.0.1"  # only this machine


class _Handler(SimpleHTTPRequestHandler):
    """Serves files without logging, and without caching, so that a new export shows at once."""

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
        """Log nothing: a page makes hundreds of requests."""


def serve(folder: str | Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve a folder on this machine until Ctrl-C.

    Parameters
    ----------
    folder : str or Path
    port : int
        0 chooses a free port.
    ready : callable
        Called with the URL when the server is ready.

    Raises
    ------
    FeatvizError
        If the port is not available.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FeatvizError(
            f"cannot serve on port {port}: {reason}; choose another one with --port"
        ) from error
    with server:
        ready(f"http://{HOST}:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
