"""The measure itself: a changed or forgotten call is counted and named."""

from __future__ import annotations

import lzma
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest
from openai import OpenAI

from benchmarks.equality import main, read, replay
from benchmarks.stored import Sent
from tests.e2e.house import House, Tap

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Where is order 4711?"}]}


def recorded(text: str, answer: str, **options: Any) -> dict[str, Any]:
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **options}
    return {"request": request, "response": {"role": "assistant", "content": answer}}


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    rows = [
        recorded(f"question {number % 5}", f"answer {number}", stream=number % 2 == 0) for number in range(12)
    ]
    path = tmp_path / "small.jsonl.xz"
    path.write_bytes(lzma.compress(b"\n".join(orjson.dumps(row) for row in rows)))
    return path


def test_questions_that_come_again_are_numbered(trace: Path) -> None:
    assert [call.occurrence for call in read(trace)] == [0] * 5 + [1] * 5 + [2] * 2
    assert len(read(trace, 3)) == 3


def test_a_small_trace_is_replayed(trace: Path, tmp_path: Path) -> None:
    result = replay(trace, tmp_path)
    assert str(result) == "small: 12 of 12 byte-equal, 12 of 12 in the database"
    assert result.complete, result.differences


def test_a_missing_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_what_differs_in_the_database_is_named(
    house: House, proxied: OpenAI, direct: OpenAI, tap: Tap
) -> None:
    proxied.chat.completions.create(**ASK)
    [body, answer] = tap.last.body, direct.chat.completions.with_raw_response.create(**ASK).content
    assert not house.archive.missing(Sent(tap.last.call_id, body, answer, streamed=False))
    other = house.archive.missing(
        Sent(
            tap.last.call_id, body.replace(b"4711", b"4712"), answer.replace(b"4711", b"4712"), streamed=True
        )
    )
    assert "another request" in other
    assert "stream False" in other
    assert house.archive.call(str(uuid.uuid4()), seconds=0) is None
