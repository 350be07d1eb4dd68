"""The lean transport: httptools on asyncio protocols, and nothing between a packet and its reader.

LeanTransport ── target (where) ── head (what) ── pool (over which connection)
                                                   └── connection: outgoing body ↔ incoming response
"""

from __future__ import annotations

import ssl

from proxy.transport.base import Request, Response
from proxy.transport.connection import StaleConnection
from proxy.transport.head import encode_head
from proxy.transport.pool import Pool
from proxy.transport.target import split_url


class LeanTransport:
    """`base.Transport` over pooled keep-alive connections, without a limit on how many are in use.

    A body that is an iterator cannot be sent twice, so it always leaves on a fresh connection.

    - `ssl_context`: for https; the system's trusted authorities when None.
    - `max_idle_per_host`: connections kept open without a request, for each scheme, host and port.
    - `idle_seconds`: how long they are kept."""

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_idle_per_host: int = 256,
        idle_seconds: float = 30.0,
    ) -> None:
        self._pool = Pool(
            ssl_context=ssl_context, max_idle_per_host=max_idle_per_host, idle_seconds=idle_seconds
        )

    @property
    def open_connections(self) -> int:
        """How many connections are open, in use or not."""
        return len(self._pool)

    async def send(self, request: Request) -> Response:
        """See `base.Transport.send`."""
        target, path = split_url(request.url)
        head = encode_head(request, target, path)
        if isinstance(request.body, bytes):
            pooled = self._pool.take(target)
            if pooled is not None:
                try:
                    return await pooled.exchange(request, head)
                except StaleConnection:
                    pass
        connection = await self._pool.connect(target, request.timeouts.connect)
        return await connection.exchange(request, head)

    async def aclose(self) -> None:
        """See `base.Transport.aclose`."""
        await self._pool.aclose()
