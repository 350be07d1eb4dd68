"""A stored call as the router saw it, for `understudy rules explain --call`."""

from __future__ import annotations

from pathlib import Path

from cli.context import open_store, plain_errors
from proxy.control.stored_query import query_of
from router.decision import Query
from store.calls import Calls
from store.keyring import DIGEST, Sealer


def fetch_query(config: Path | None, call_id: str) -> Query | None:
    """The query of a recorded call; None when there is none, or its content was not kept."""
    with open_store(config) as store, plain_errors():
        calls = Calls(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST))
        call = calls.get(call_id)
    return None if call is None else query_of(call)
