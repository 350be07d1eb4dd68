"""One server of an engine as this worker sees it: its requests in flight, and whether it is left alone for now."""

from __future__ import annotations

import msgspec

from proxy.breaker import Breaker, BreakerState


class ServerStatus(msgspec.Struct, frozen=True):
    """What a worker says of a server."""

    engine: str
    url: str
    in_flight: int
    breaker: BreakerState


class EngineServer:
    """Lives as long as its engine is configured, across changes of the configuration."""

    def __init__(self, engine: str, url: str, breaker: Breaker | None = None) -> None:
        self.engine = engine
        self.url = url
        self.breaker = breaker or Breaker()
        self.in_flight = 0
        self.taken = 0
        """Requests since the start: of servers with equally many in flight the one that took fewest is next."""

    def status(self) -> ServerStatus:
        """Its state now."""
        return ServerStatus(self.engine, self.url, self.in_flight, self.breaker.state)

    def take(self) -> Lease:
        """Begin a request; the lease is to be closed."""
        return Lease(self)


class Lease:
    """One request at a server, from its sending to its answer's end. The first outcome counts."""

    def __init__(self, server: EngineServer) -> None:
        self._server = server
        self._decided = False
        self._open = True
        server.in_flight += 1
        server.taken += 1
        server.breaker.begins()

    def answered(self, status: int) -> None:
        """A response head arrived."""
        if status >= 500:
            self.failed()
        elif not self._decided:
            self._decided = True
            self._server.breaker.succeeded()

    def failed(self) -> None:
        """The server could not be reached, broke off or kept silent for long."""
        if not self._decided:
            self._decided = True
            self._server.breaker.failed()

    def close(self) -> None:
        """The request is over, with or without an outcome; may be called twice."""
        if self._open:
            self._open = False
            self._server.in_flight -= 1
            if not self._decided:
                self._server.breaker.undecided()


class EngineServers:
    """The servers of all engines of this worker, kept while configurations come and go."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str], EngineServer] = {}

    def of(self, engine: str, urls: tuple[str, ...]) -> tuple[EngineServer, ...]:
        """The servers of an engine, in order; those known already keep their state."""
        return tuple(self._servers.setdefault((engine, url), EngineServer(engine, url)) for url in urls)

    def keep(self, servers: set[EngineServer]) -> None:
        """Forget all others: no configuration in force names them."""
        self._servers = {key: server for key, server in self._servers.items() if server in servers}

    def status(self) -> tuple[ServerStatus, ...]:
        """The state of each now."""
        return tuple(server.status() for server in self._servers.values())
