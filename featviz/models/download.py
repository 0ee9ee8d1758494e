"""Trained weights that others publish: fetched once, or refused in one line."""

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

PATIENCE = 5.0
"""Seconds in which a server must answer at all."""


@contextmanager
def published(name: str, url: str, instead: str) -> Iterator[None]:
    """Fetch weights inside, from the cache where there is no network.

    A server that does not answer is asked once. The Hugging Face Hub's client would try again for
    most of a minute, and torch's would wait for minutes, before they look at what they hold.

    Parameters
    ----------
    name : str
        The model, for the error's line.
    url : str
        Any address of the server.
    instead : str
        What the user can do without, for the error's line.

    Raises
    ------
    FeatvizError
        If anything fails inside: what, and what to do instead.
    """
    offline, timeout = constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()
    reached = not (offline and url == constants.ENDPOINT) and _reachable(url)
    if not reached:
        constants.HF_HUB_OFFLINE = True
        socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, OSError) and not reached:
            reason = f"{urlsplit(url).hostname} cannot be reached"
        elif isinstance(error, KeyError):
            reason = f"its configuration lacks {error}"
        raise FeatvizError(f"cannot fetch {name} ({reason}); {instead}") from error
    finally:
        constants.HF_HUB_OFFLINE = offline
        socket.setdefaulttimeout(timeout)


def _reachable(url: str) -> bool:
    """Whether a server answers within a few seconds, be it with a refusal."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=PATIENCE):
            return True
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    except OSError:
        return False
