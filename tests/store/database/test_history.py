"""The history: what came into force, once each."""

from __future__ import annotations

from sqlalchemy import Engine

from store.history import Event, History


def test_a_version_that_stays_is_noted_once(engine: Engine) -> None:
    history = History(engine)
    first = Event(10, "configuration", "aa", "in force since the server was started")
    changed = Event(30, "configuration", "bb", "rule 'labels' changed")
    router = Event(40, "router", "aa", "recognises 2 tasks")
    back = Event(50, "configuration", "aa", "rule 'labels' changed")
    noted = [history.note(event) for event in (first, first, changed, router, changed, back)]
    assert noted == [True, False, True, True, False, True]
    assert history.since(0, 10) == [back, router, changed, first]
    assert history.since(30, 2) == [back, router]
    assert history.since(60, 10) == []
