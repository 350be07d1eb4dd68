"""Whatever JSON a client sends, the simulated API answers: 200, or a refusal in its own words."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.endpoints.validation import FIELDS
from simulator.app import create_app
from simulator.support_desk import SupportDesk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab{", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "function", "name", "tool_calls", "text", "format", "schema"]
            ),
            inner | st.sampled_from(["user", "tool", "assistant", "function", "json_schema"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)
APP = create_app(SupportDesk())
PATHS = {
    "/v1/chat/completions": "chat.completions",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}


async def status(path: str, body: Any) -> int:
    transport = httpx2.ASGITransport(APP)
    async with httpx2.AsyncClient(transport=transport, base_url="http://simulator", verify=False) as client:
        answer = await client.post(path, json=body)
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    return answer.status_code


@pytest.mark.parametrize("path", PATHS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_json_is_answered(path: str, data: st.DataObject) -> None:
    known = sorted(FIELDS[PATHS[path]] - {"model", "n", "max_tokens"})
    body = data.draw(st.dictionaries(st.sampled_from(known), VALUES, max_size=6))
    messages = [{"role": "user", "content": data.draw(VALUES)}]
    whole = {"model": "gpt-4o", "max_tokens": 50, "messages": messages, "prompt": "x", "input": "x"}
    needed = {name: value for name, value in whole.items() if name in FIELDS[PATHS[path]]}
    assert asyncio.run(status(path, needed | body)) in (200, 400)
