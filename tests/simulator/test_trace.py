"""Trace mode: made-up traces, and the recorded ones when they stand beside the project."""

from __future__ import annotations

import lzma
import os
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion

from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.trace import BadTrace, TraceBrain

DATA = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
CALL = {"id": "call_1", "type": "function", "function": {"name": "get", "arguments": '{"id":"7"}'}}


def row(text: str, response: dict[str, Any], **more: Any) -> dict[str, Any]:
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    return {"request": request, "response": {"role": "assistant", "content": None} | response} | more


ROWS = [
    row("one", {"content": "uno"}, usage={"prompt_tokens": 11, "completion_tokens": 3}),
    row("two", {"tool_calls": [CALL]}, usage=None, meta={"finish_reason": "stop"}),
    row("one", {"content": "eins"}),
]


def serving(rows: list[dict[str, Any]]) -> RunningServer:
    brain = TraceBrain.of(orjson.dumps(one) for one in rows)
    return RunningServer(create_app(brain, settings=Settings(models=("*",), clock="fixed")))


def test_recorded_requests_get_their_recorded_answers() -> None:
    with serving(ROWS) as server, OpenAI(base_url=server.base_url, api_key="k", max_retries=0) as client:
        one: ChatCompletion = client.chat.completions.create(**ROWS[0]["request"])
        assert one.choices[0].message.content == "uno"
        assert one.usage is not None
        assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (11, 3)
        with client.chat.completions.stream(**ROWS[1]["request"]) as stream:
            two = stream.get_final_completion().choices[0]
    assert two.finish_reason == "stop"
    assert two.message.tool_calls is not None
    assert two.message.tool_calls[0].id == "call_1"
    assert two.message.tool_calls[0].function.arguments == CALL["function"]["arguments"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("index", "expected"), [("", "uno"), ("0", "uno"), ("1", "eins"), ("2", "uno"), ("x", "uno")]
)
def test_the_first_recording_answers_unless_another_is_asked_for(index: str, expected: str) -> None:
    with serving(ROWS) as server:
        headers = {"x-trace-index": index} if index else {}
        for _ in range(2):
            answer = httpx2.post(
                f"{server.base_url}/chat/completions", json=ROWS[0]["request"], headers=headers
            )
            assert answer.json()["choices"][0]["message"]["content"] == expected


def test_an_unknown_request_is_refused_and_says_why() -> None:
    with serving(ROWS) as server:
        request = ROWS[0]["request"] | {"temperature": 0}
        answer = httpx2.post(f"{server.base_url}/chat/completions", json=request)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_in_trace"


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.xz"])
def test_traces_are_read_from_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"trace.{suffix}"
    text = b"\n".join(orjson.dumps(one) for one in ROWS) + b"\n\n"
    path.write_bytes(lzma.compress(text) if suffix.endswith("xz") else text)
    assert len(TraceBrain.read(path)) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"{}\n", "line 1"),
        ("a.jsonl", orjson.dumps(ROWS[0]) + b"\nnonsense\n", "line 2"),
        ("a.jsonl.xz", b"no xz", "no xz file"),
        ("a.csv", b"", "neither"),
    ],
)
def test_bad_traces_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadTrace, match=said):
        TraceBrain.read(path)


@pytest.mark.traces
@pytest.mark.parametrize("name", ["crewai_http.jsonl.xz", "tau1_airline_gpt4o.jsonl.xz"])
def test_recorded_traces_replay(name: str) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no recorded calls at {path}: set UNDERSTUDY_DATA")
    with lzma.open(path) as lines:
        rows = [orjson.loads(line) for number, line in enumerate(lines) if number % 19 == 0][:200]
    with serving(rows) as server, httpx2.Client(base_url=server.base_url, timeout=30) as http:
        firsts: dict[bytes, Any] = {}
        for one in rows:
            request = {k: v for k, v in one["request"].items() if k not in ("stream", "stream_options")}
            expected = firsts.setdefault(orjson.dumps(request), one["response"])
            message = http.post("/chat/completions", json=request).json()["choices"][0]["message"]
            assert message["content"] == expected["content"]
            assert message.get("tool_calls", []) == (expected.get("tool_calls") or [])
    assert len(rows) == 200
