"""Pages about tasks, and feedback on calls."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from proxy.auth import Authenticator
from proxy.control.access import needs
from proxy.control.readings import Readings
from proxy.errors import Refusal
from store.errors import DatabaseError, StoreError
from store.window import Window

LONGEST_NOTE = 10_000


class FeedbackBody(BaseModel):
    """What somebody says of one call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    call_id: str
    good: bool
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] = ""


def add_tasks(app: FastAPI, auth: Authenticator, readings: Readings) -> None:
    """Add /tasks, /changes and /feedback."""
    viewer, curator = Depends(needs(auth, "viewer")), Depends(needs(auth, "curator"))

    @app.get("/tasks", dependencies=[viewer])
    def tasks(window: Window = "24h") -> dict[str, Any]:
        """The tasks that were found, with what is and would be saved."""
        return readings.tasks.page(window)

    # A task's id holds slashes, so the longer path comes first.
    @app.get("/tasks/{task_id:path}/samples", dependencies=[curator])
    def samples(task_id: str, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> dict[str, Any]:
        """Pairs of answers, the LLM's beside the understudy's."""
        return readings.tasks.samples(task_id, limit)

    @app.get("/tasks/{task_id:path}", dependencies=[viewer])
    def task(task_id: str, window: Window = "24h") -> dict[str, Any]:
        """One task with the evidence on each of its understudies."""
        found = readings.tasks.task(task_id, window)
        if found is None:
            raise Refusal(404, f"There is no task {task_id!r}; GET /tasks lists them.", code="task_not_found")
        return found

    @app.get("/changes", dependencies=[viewer])
    def changes(window: Window = "24h", limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
        """What was put in force, the newest first: moves of understudies, routers, configurations."""
        return readings.tasks.changes(window, limit)

    @app.post("/feedback", dependencies=[curator])
    def feedback(body: FeedbackBody) -> dict[str, Any]:
        """Say whether the answer of a call was good; the last word counts, and what is bad is not learned from."""
        try:
            readings.feedback.mark(body.call_id, body.good, body.note, time.time_ns() // 1000)
        except DatabaseError:
            raise
        except StoreError as error:
            raise Refusal(400, f"{error}.", param="call_id", code="invalid_call_id") from None
        return {"call_id": body.call_id, "good": body.good}
