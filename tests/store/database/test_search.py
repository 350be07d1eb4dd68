"""Looking for what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from store import call_id
from store.calls import Filters
from store.search import Found, Search

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened


def find(opened: Opened, words: str, seconds: float = 60.0, **filters: object) -> Found:
    search = Search(opened.engine, opened.sealer, opened.calls)
    return search.find(Filters(**filters), words, seconds)  # type: ignore[arg-type]


@pytest.fixture
def filled(opened: Opened, new_call: CallMaker) -> Opened:
    """Six hundred calls: every third about a parcel, one with an answer of its own, one written with escapes."""
    requests = [
        new_call.chat(
            f"Where is my {'Parcel' if number % 3 == 0 else 'letter'} with number {number}, please?"
        )
        for number in range(600)
    ]
    records = [new_call(number, request, task=f"t{number % 2}") for number, request in enumerate(requests)]
    records[7] = new_call(7, None, new_call.answered(7, 'It lies in the "Müller" house at the corner.'))
    escaped = rb'{"messages": [{"role": "user", "content": "The caf\u00e9 at the corner is closed today"}]}'
    records[8] = new_call(8, escaped)
    opened.sink().write(records, [])
    return opened


def test_requests_and_answers_are_looked_through(filled: Opened) -> None:
    found = find(filled, "my parcel", limit=1000)
    assert [call.id for call in found.calls] == sorted((call.id for call in found.calls), reverse=True)
    assert (len(found.calls), found.next, found.searched) == (200, None, 600)
    for words, calls in (('the "Müller" house', 1), ("CAFÉ", 1), ("with number 100,", 1), ("nowhere", 0)):
        assert len(find(filled, words).calls) == calls, words
    assert len(find(filled, "my parcel", task="t1", limit=1000).calls) == 100


def test_a_search_goes_on_where_it_stopped(filled: Opened) -> None:
    whole = [call.id for call in find(filled, "my parcel", limit=1000).calls]
    found, before = [], None
    for seconds in (60.0, *[0.0] * 20):
        page = find(filled, "my parcel", seconds, before=before, limit=30)
        found += [call.id for call in page.calls]
        before = page.next
        if before is None:
            break
    assert found == whole
    assert call_id.parse(whole[0]) is not None
