"""Downloads of published weights, with one-line errors and a quick fallback to the cache."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from huggingface_hub import constants

from featviz.errors import FeatvizError

TIMEOUT = 5.0
"""Seconds to wait for the first answer of a server."""


@contextmanager
def downloading(name: str, url: str, instead: str) -> Iterator[None]:
    """Download weights in the ``with`` block, or read them from the cache without a network.

    A server that does not answer is tried once. By default, the client of the Hugging Face Hub
    retries for most of a minute, and that of torch waits for minutes, before they use their caches.

    Parameters
    ----------
    name : str
        The model, for error messages.
    url : str
        Any URL of the server.
    instead : str
        What the user can do instead, for error messages.

    Raises
    ------
    FeatvizError
        For any other exception of the block: the reason, and `instead`.
    """
    offline, timeout = constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()
    reachable = not (offline and url == constants.ENDPOINT) and _reachable(url)
    if not reachable:
        constants.HF_HUB_OFFLINE = True
        socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    except FeatvizError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, OSError) and not reachable:
            reason = f"{urlsplit(url).hostname} cannot be reached"
        elif isinstance(error, KeyError):
            reason = f"its configuration lacks {error}"
        raise FeatvizError(f"cannot fetch {name} ({reason}); {instead}") from error
    finally:
        constants.HF_HUB_OFFLINE = offline
        socket.setdefaulttimeout(timeout)


def _reachable(url: str) -> bool:
    """Whether a server answers within `TIMEOUT`, even with an error."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=TIMEOUT):
            return True
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    except OSError:
        return False
