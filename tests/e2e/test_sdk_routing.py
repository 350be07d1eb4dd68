"""What the SDK's user can see and say about where a call goes."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from simulator.activity import Recorder
from simulator.desk.prompts import SYSTEM
from tests.e2e.house import SMALL_MODEL, House, Tap, logged

TICKET = "I cannot log in to my account any more. My email is maria@example.com."
MESSAGES: list[Any] = [
    {"role": "system", "content": SYSTEM["classify"]},
    {"role": "user", "content": TICKET},
]
ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES}
TASK = {"x-understudy-task": "intent"}


def _asked(model: Recorder) -> int:
    """Calls that a server was given, without the proxy's looks at its health."""
    return sum(one.method == "POST" for one in list(model.seen))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_raw_responses_show_what_became_of_a_call(
    house: House, proxied: OpenAI, tap: Tap, stream: bool
) -> None:
    raw = proxied.chat.completions.with_raw_response.create(**ASK, stream=stream)
    headers = raw.headers
    assert headers["x-understudy-route"] == "upstream"
    assert headers["x-understudy-model"] == "gpt-4o-mini"
    assert float(headers["x-understudy-overhead-ms"]) >= 0
    assert headers["x-understudy-reason"]
    assert headers["x-request-id"].startswith("req_")
    assert headers["x-ratelimit-remaining-requests"] == "9999"
    assert raw.request_id == headers["x-request-id"]
    parsed = raw.parse()
    if stream:
        list(parsed)
    found = logged(house, tap.last)
    assert found.summary.id == headers["x-understudy-call-id"]
    assert found.summary.rule == headers.get("x-understudy-rule", "")
    assert found.circumstances.config == headers["x-understudy-config"]
    assert found.upstream_request_id == headers["x-request-id"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_rule_sends_a_task_to_the_small_model(
    house: House, proxied: OpenAI, direct: OpenAI, tap: Tap, stream: bool
) -> None:
    before = _asked(house.slm)
    answer: Any = proxied.chat.completions.create(**ASK, stream=stream, extra_headers=TASK)
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    else:
        text = answer.choices[0].message.content
    said: Any = direct.chat.completions.create(**ASK)
    assert text == said.choices[0].message.content
    headers = tap.last.headers
    assert headers["x-understudy-route"] == "slm"
    assert headers["x-understudy-model"] == SMALL_MODEL
    assert headers["x-understudy-rule"] == "intents"
    assert _asked(house.slm) == before + 1
    summary = logged(house, tap.last).summary
    assert (summary.route, summary.understudy, summary.target) == ("slm", SMALL_MODEL, "local")
    assert (summary.model, summary.task) == ("gpt-4o-mini", "intent")
    assert summary.cost == 0
    assert summary.cost_avoided is not None
    assert summary.cost_avoided > 0
    assert summary.usage_source in ("reported", "spliced")


def test_an_agent_may_opt_out(house: House, proxied: OpenAI, tap: Tap) -> None:
    proxied.chat.completions.create(**ASK, extra_headers=TASK | {"x-understudy-route": "upstream"})
    assert tap.last.headers["x-understudy-route"] == "upstream"
    assert logged(house, tap.last).summary.route == "upstream"


def test_our_headers_stay_with_us(house: House, proxied: OpenAI) -> None:
    marker = "kept between us"
    proxied.chat.completions.create(
        **ASK,
        user=marker,
        extra_headers={
            "x-understudy-session": "s-1",
            "x-agent": "desk",
            **TASK,
            "x-understudy-route": "upstream",
        },
    )
    [seen] = house.seen(marker)
    names = [name.decode() for name, _ in seen.headers]
    assert "x-agent" in names
    assert not [name for name in names if name.startswith("x-understudy-")]


def test_content_is_not_kept_where_the_agent_says_so(house: House, proxied: OpenAI, tap: Tap) -> None:
    proxied.chat.completions.create(**ASK, extra_headers={"x-understudy-store": "false"})
    found = house.archive.call(tap.last.call_id)
    assert found is not None
    assert (found.request.kind, found.response.kind) == ("none", "none")
    assert found.summary.status == 200


def test_calls_of_one_conversation_are_one_session(house: House, proxied: OpenAI, tap: Tap) -> None:
    messages = [*MESSAGES]
    for said in ("And now?", "And then?"):
        answer = proxied.chat.completions.create(model="gpt-4o", messages=messages)
        messages += [{"role": "assistant", "content": answer.choices[0].message.content}]
        messages += [{"role": "user", "content": said}]
    proxied.chat.completions.create(model="gpt-4o", messages=messages)
    sessions = {logged(house, exchange).summary.session for exchange in tap.exchanges}
    assert len(tap.exchanges) == 3
    assert len(sessions) == 1
