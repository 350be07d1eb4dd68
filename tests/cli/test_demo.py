"""`understudy demo` as its user sees it, on recorded calls, from its first line to its last."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from tests.demonstration import demonstrated

pytestmark = pytest.mark.timeout(600)

_SECONDS = 500.0


def _recorded(folder: Path) -> Path:
    """Calls that repeat, too few of them to prove anything with."""
    file = folder / "calls.jsonl"
    calls = [
        {
            "request": {
                "model": "gpt-4o-mini",
                "messages": [
                    {"role": "system", "content": "You say yes or no to letters."},
                    {"role": "user", "content": f"Letter {number}"},
                ],
            },
            "response": {"role": "assistant", "content": "yes" if number % 2 else "no"},
        }
        for number in range(20)
    ]
    file.write_bytes(b"\n".join(orjson.dumps(call) for call in calls))
    return file


def test_recorded_calls_are_replayed_shown_and_counted(tmp_path: Path) -> None:
    trace = str(_recorded(tmp_path))
    with demonstrated(tmp_path, "--trace", trace, "--observed", "40", "--counted", "10") as demo:
        demo.url()
        demo.processes()
        assert demo.process.wait(_SECONDS) == 0, demo.said[-2000:]
        assert demo.left_behind() == []
    said = demo.said
    assert said.startswith("Simulated: the LLM API. Real: ")
    views = re.findall(r"╭─+ \w+ ─+╮.*?╰─+╯", said, re.DOTALL)
    assert "Observe" in views[0]
    view = views[-1]
    assert "Replace" in view
    assert re.search(r"replacement rate 0\.0% +\d+ of \d+ calls +spent \$0\.\d{4}, avoided \$0\.0000", view)
    assert re.search(r"task +answers +share +state +agreement +replaced", view)
    assert re.search(r"http://127\.0\.0\.1:\d+/dashboard", view)
    assert "no understudy is good enough: every call stays with the LLM" in said
    assert "counts the 10 calls after the promotion" in said
    assert said.splitlines()[-1] == "replacement rate 0.0% of 10 calls, agreement -"


def test_a_file_that_holds_no_calls_is_named(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text('{"question": "none"}\n')
    with demonstrated(tmp_path, "--trace", "calls.jsonl") as demo:
        assert demo.process.wait(_SECONDS) == 2
        assert demo.left_behind() == []
    assert "calls.jsonl" in demo.said
    assert "Traceback" not in demo.said
