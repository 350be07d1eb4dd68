"""Open connections, kept for the next request to the same target."""

from __future__ import annotations

import asyncio
import ssl
from functools import cached_property

from proxy.transport.base import ConnectError, ConnectTimeout
from proxy.transport.connection import Connection
from proxy.transport.target import Target


class Pool:
    """Connections by target; the one used last is used next, so that the others can go stale and be closed.

    Any number may be in use; at most `max_idle_per_host` wait, each for `idle_seconds`."""

    def __init__(
        self, *, ssl_context: ssl.SSLContext | None, max_idle_per_host: int, idle_seconds: float
    ) -> None:
        self._given_ssl_context = ssl_context
        self._max_idle = max_idle_per_host
        self._idle_seconds = idle_seconds
        self._parked: dict[Target, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._closed = False
        self._all_gone: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """How many connections are open, in use or not."""
        return len(self._open)

    def take(self, target: Target) -> Connection | None:
        """A connection that was used before and seems alive, if there is one."""
        parked = self._parked.get(target)
        while parked:
            connection = parked.pop()
            if connection.is_parked:
                return connection
        return None

    async def connect(self, target: Target, timeout: float | None) -> Connection:  # noqa: ASYNC109 - a phase's limit
        """A fresh connection; raises ConnectError or ConnectTimeout (seconds, None waits for ever)."""
        if self._closed:
            raise ConnectError(f"{target}: this transport was closed")
        loop = asyncio.get_running_loop()
        context = self._ssl_context if target.tls else None
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(
                    lambda: Connection(target, on_ready=self._park, on_closed=self._forget),
                    target.host,
                    target.port,
                    ssl=context,
                    server_hostname=target.host if context else None,
                )
        except TimeoutError:
            raise ConnectTimeout(f"{target}: no connection within {timeout} s") from None
        except (OSError, UnicodeError) as error:
            raise ConnectError(f"{target}: no connection: {error}") from error
        return self._adopt(connection)

    async def aclose(self) -> None:
        """Close every connection and wait until they are gone."""
        self._closed = True
        for connection in tuple(self._open):
            connection.shut_down()
        if self._open:
            self._all_gone = asyncio.get_running_loop().create_future()
            await self._all_gone

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        if self._given_ssl_context is not None:
            return self._given_ssl_context
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _adopt(self, connection: Connection) -> Connection:
        if self._closed or not connection.is_parked:
            connection.close()
            raise ConnectError(f"{connection.target}: the connection closed as soon as it was made")
        self._open.add(connection)
        return connection

    def _park(self, connection: Connection) -> None:
        parked = self._parked.setdefault(connection.target, [])
        if self._closed or len(parked) >= self._max_idle:
            connection.close()
        else:
            connection.park(self._idle_seconds)
            parked.append(connection)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        parked = self._parked.get(connection.target, [])
        if connection in parked:
            parked.remove(connection)
        if self._all_gone is not None and not self._open and not self._all_gone.done():
            self._all_gone.set_result(None)
