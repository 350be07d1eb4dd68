"""Tasks and feedback: saved, replaced, sealed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from store import call_id as call_ids
from store.errors import StoreError
from store.feedback import Feedback, Opinion
from store.tasks import TaskRow, Tasks

if TYPE_CHECKING:
    from tests.store.database.conftest import Opened


LABELS = TaskRow(
    id="support/ticket-label",
    title="label a ticket",
    kind="label",
    calls=1200,
    share=0.4,
    answers=("refund", "shipping"),
    run="r1",
    created=5,
    facts={"rejection": 0.01},
)
_IDS = [call_ids.show(number.to_bytes(16, "big")) for number in range(3)]


def test_tasks_are_saved_replaced_and_listed_by_size(opened: Opened) -> None:
    tasks = Tasks(opened.engine, opened.sealer)
    reply = dataclasses.replace(LABELS, id="support/reply", kind="text", share=0.6, answers=())
    tasks.save([LABELS, reply])
    assert tasks.list() == [reply, LABELS]
    retired = dataclasses.replace(LABELS, retired=9, share=0.1)
    tasks.save([retired])
    assert tasks.get(LABELS.id) == retired
    assert tasks.list() == [reply, retired]
    assert tasks.get("nothing") is None


def test_what_comes_from_content_is_sealed(opened: Opened) -> None:
    Tasks(opened.engine, opened.sealer).save([LABELS])
    with opened.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM tasks")).one()
    assert b"refund" not in bytes(row.detail)
    assert "ticket" not in str(
        [value for name, value in row._mapping.items() if name not in ("id", "detail")]
    )


def test_the_last_word_on_a_call_counts(opened: Opened) -> None:
    feedback = Feedback(opened.engine, opened.sealer)
    feedback.mark(_IDS[0], good=True, note="fine", at=1)
    feedback.mark(_IDS[0], good=False, note="wrong customer", at=2)
    feedback.mark(_IDS[1], good=True, note="", at=3)
    assert feedback.get(_IDS[0]) == Opinion(False, "wrong customer", 2)
    assert feedback.get(_IDS[2]) is None
    assert feedback.bad_calls(_IDS) == {_IDS[0]}
    assert feedback.bad_calls([]) == set()


def test_what_is_no_call_id_is_named(opened: Opened) -> None:
    feedback = Feedback(opened.engine, opened.sealer)
    with pytest.raises(StoreError, match="'nonsense' is no call id"):
        feedback.mark("nonsense", good=True, note="", at=1)
    assert feedback.get("nonsense") is None
    assert feedback.bad_calls(["nonsense"]) == set()
