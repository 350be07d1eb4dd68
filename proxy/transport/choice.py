"""Which transport, by name."""

from __future__ import annotations

import ssl
from typing import Literal

from proxy.transport.base import Transport
from proxy.transport.lean import LeanTransport

TransportName = Literal["lean", "aiohttp"]


def create_transport(name: TransportName = "lean", *, ssl_context: ssl.SSLContext | None = None) -> Transport:
    """A transport of that kind, for use within one event loop; `ssl_context` replaces the system's authorities.

    Raises ImportError, naming the extra to install, when aiohttp is asked for and absent."""
    if name == "lean":
        return LeanTransport(ssl_context=ssl_context)
    from proxy.transport.aiohttp_client import AiohttpTransport  # noqa: PLC0415 - an extra: loaded when asked for

    return AiohttpTransport(ssl_context=ssl_context)
