"""Pages about calls: the log, filtered and searched, and one call with its content."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response

from proxy.auth import Authenticator
from proxy.control.access import needs
from proxy.control.call_page import call_page, summary_page
from proxy.control.readings import Readings
from proxy.errors import Refusal
from store.calls import Filters
from store.record import Route

Seconds = Annotated[float | None, Query(ge=0, le=4e9, allow_inf_nan=False)]
"""A moment in Unix seconds."""
Words = Annotated[str | None, Query(min_length=1, max_length=200)]


def add_calls(app: FastAPI, auth: Authenticator, readings: Readings) -> None:
    """Add /calls and /calls/{id}."""
    viewer, curator = needs(auth, "viewer"), needs(auth, "curator")

    @app.get("/calls", dependencies=[Depends(viewer)])
    def calls(
        request: Request,
        filters: Annotated[Filters, Depends(_filters)],
        text: Words = None,
    ) -> dict[str, Any]:
        """A page of calls, newest first, without their content; `next` is the cursor of the page after.

        With `text` those in which it was said; that tells of content, so it is a curator's business."""
        if text is not None:
            curator(request)
            hits = readings.search(filters, text)
            page = [summary_page(each) for each in hits.calls]
            return {"calls": page, "next": hits.next, "searched": hits.searched}
        found = readings.calls(filters)
        return {
            "calls": [summary_page(each) for each in found],
            "next": found[-1].id if len(found) == filters.limit else None,
        }

    @app.get("/calls/{call_id}", dependencies=[Depends(curator)])
    def call(call_id: str) -> Response:
        """One call, request and response equal as JSON to what was sent."""
        found = readings.call(call_id)
        if found is None:
            raise Refusal(404, f"There is no call {call_id!r} (any more, or not yet).", code="call_not_found")
        return Response(call_page(found), media_type="application/json")


def _filters(
    *,
    route: Route | None = None,
    task: str | None = None,
    model: str | None = None,
    rule: str | None = None,
    session: str | None = None,
    status: int | None = None,
    since: Seconds = None,
    until: Seconds = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Filters:
    return Filters(
        route=route,
        task=task,
        model=model,
        rule=rule,
        session=session,
        status=status,
        since=None if since is None else int(since * 1e6),
        until=None if until is None else int(until * 1e6),
        before=before,
        limit=limit,
    )
