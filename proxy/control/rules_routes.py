"""The rules over HTTP: the file, what a change would be, and which rule takes a call."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Literal

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from proxy.auth import Authenticator
from proxy.control.access import needs
from proxy.control.readings import Readings
from proxy.control.rules_desk import LARGEST_FILE, RulesDesk
from proxy.control.stored_query import query_of
from proxy.errors import Refusal


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Draft(_Body):
    """A text that might become the file."""

    text: str = Field(max_length=LARGEST_FILE)


class Change(Draft):
    """A text that is to become the file, in place of the one that was read."""

    version: str
    """`file_version` of the sheet that was edited."""


class Trial(Draft):
    """A text that is tried on the log."""

    window: Literal["1h", "24h", "7d", "30d", "all"] = "7d"


class Recorded(_Body):
    """A call of the log."""

    call_id: str


def add_rules(app: FastAPI, auth: Authenticator, desk: RulesDesk, readings: Readings) -> None:
    """Serve the rules: curators may try, the owner may read the whole file and write it."""
    owner, curator = Depends(needs(auth, "admin")), Depends(needs(auth, "curator"))

    @app.get("/rules", dependencies=[owner])
    def sheet() -> dict[str, Any]:
        """The configuration file as it stands, and the version in force."""
        return asdict(desk.sheet())

    @app.put("/rules", dependencies=[owner])
    def apply(change: Change) -> dict[str, Any]:
        """Write the file, when it is valid and still the one that was read."""
        return desk.apply(change.text, change.version)

    @app.post("/rules/check", dependencies=[curator])
    def check(draft: Draft) -> dict[str, Any]:
        """Whether a text could be put in force, or every problem with its line and column."""
        return desk.check(draft.text)

    @app.post("/rules/backtest", dependencies=[curator])
    def backtest(trial: Trial) -> dict[str, Any]:
        """What a text would have done to the calls of a window; no model is called."""
        return desk.backtest(trial.text, trial.window)

    @app.post("/rules/explain", dependencies=[curator])
    async def explain(recorded: Recorded) -> dict[str, Any]:
        """Which rule takes a recorded call under the rules in force, and why."""
        # Decided on the event loop like every call: what recognises them is for one thread.
        found = await asyncio.to_thread(readings.call, recorded.call_id)
        query = query_of(found) if found else None
        if query is None:
            message = f"There is no call {recorded.call_id!r} with its content (any more, or not yet)."
            raise Refusal(404, message, code="call_not_found")
        return desk.explain(query)
