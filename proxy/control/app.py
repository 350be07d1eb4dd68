"""The control pages' routes, and who may see which."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from proxy.auth import Authenticator
from proxy.control import metrics, table
from proxy.control.access import needs
from proxy.control.call_routes import add_calls
from proxy.control.dashboard.routes import add_dashboard
from proxy.control.readings import Readings
from proxy.control.rules_desk import RulesDesk
from proxy.control.rules_routes import add_rules
from proxy.control.task_routes import add_tasks
from proxy.errors import Refusal
from store.errors import DatabaseError, SealError
from store.stats import GroupBy
from store.window import Window
from wire.errors import envelope

_LONGEST_VALUE: Final = 100
"""Characters of a bad value that are shown."""


class OrjsonResponse(JSONResponse):
    """JSON by orjson."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def create_control(auth: Authenticator, readings: Readings, desk: RulesDesk) -> FastAPI:
    """The control pages as an ASGI application."""
    app = FastAPI(
        title="Understudy",
        docs_url=None,
        redoc_url=None,
        default_response_class=OrjsonResponse,
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(DatabaseError, _away)
    app.add_exception_handler(SealError, _sealed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_page)
    _add_health(app)
    _add_statistics(app, auth, readings)
    add_calls(app, auth, readings)
    add_tasks(app, auth, readings)
    add_rules(app, auth, desk, readings)
    add_dashboard(app)
    return app


def _add_health(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def root() -> Response:
        return PlainTextResponse(
            "Understudy, a drop-in OpenAI-compatible proxy. Point base_url at /v1; look at /stats.\n"
        )

    @app.get("/healthz")
    def alive() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        """Calls are served. A database that is away is no reason not to be: the journal keeps what it will need."""
        return {"status": "ready"}


def _add_statistics(app: FastAPI, auth: Authenticator, readings: Readings) -> None:
    viewer = Depends(needs(auth, "viewer"))

    @app.get("/stats", dependencies=[viewer])
    def stats(request: Request, window: Window = "24h", by: GroupBy | None = None) -> Response:
        """The replacement rate and everything around it; a table for `Accept: text/plain`."""
        report = readings.report(window, by)
        if request.headers.get("accept", "").startswith("text/plain"):
            return PlainTextResponse(table.render(report))
        return OrjsonResponse(report)

    @app.get("/stats/timeline", dependencies=[viewer])
    def timeline(window: Window = "24h") -> Response:
        """The same figures over time, one point a bucket, oldest first."""
        return OrjsonResponse(readings.timeline(window))  # orjson reads dataclasses itself, and faster

    @app.get("/metrics", dependencies=[viewer])
    def prometheus() -> Response:
        """Totals for Prometheus, the same from every worker."""
        return Response(metrics.render(readings), media_type=metrics.CONTENT_TYPE)


def _error(status: int, message: str, kind: str, code: str | None, param: str | None = None) -> Response:
    body = envelope(message, type=kind, code=code, param=param)
    return Response(body, status, media_type="application/json")


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _error(error.status, error.message, error.kind, error.code, error.param)


def _away(_request: Request, error: Exception) -> Response:
    return _error(503, f"The database is away: {error}", "store_error", "database_away")


def _sealed(_request: Request, error: Exception) -> Response:
    return _error(500, f"The content cannot be opened: {error}", "store_error", "content_sealed")


def _no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = (
        f"{request.method} {request.url.path!r}: {error.detail}. The API is below /v1/; see / for the pages."
    )
    return _error(error.status_code, message, "invalid_request_error", "unknown_url")


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    value = repr(first.get("input"))
    shown = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
    message = f"{where}: {shown} is not valid: {first['msg']}."
    return Response(
        envelope(message, type="invalid_request_error", param=where, code="invalid_parameter"),
        422,
        media_type="application/json",
    )
