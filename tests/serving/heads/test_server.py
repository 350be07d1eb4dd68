"""The head server as a process: real sockets, the real SDK, changes without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, NotFoundError, OpenAI

from tests.serving.heads.conftest import House
from tests.serving.heads.making import TICKETS, TOOLS, URGENCY, deployed, stored

LABEL, JSON, TOOL = "support/ticket-label@1", "support/urgency@1", "support/action@1"
ASKED = "where is my refund"


@pytest.fixture
def served(house: House) -> House:
    house.serve(
        [
            deployed(LABEL, str(stored(house.artifacts, LABEL, TICKETS).path)),
            deployed(JSON, str(stored(house.artifacts, JSON, URGENCY).path), "shadow"),
            deployed(TOOL, str(stored(house.artifacts, TOOL, TOOLS).path), "canary5"),
        ]
    )
    return house


def client(house: House) -> OpenAI:
    return OpenAI(base_url=f"{house.url}/v1", api_key="none", http_client=httpx2.Client(trust_env=False))


def post(house: House, path: str, body: Any) -> httpx2.Response:
    return httpx2.post(f"{house.url}{path}", json=body, trust_env=False)


def chat(model: str, said: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": said}], **more}


def test_every_endpoint_and_form_of_answer(served: House) -> None:
    with client(served) as sdk:
        _labels(sdk)
        _streams(sdk)
        _structures(sdk)
    _messages(served)


def _labels(sdk: OpenAI) -> None:
    answered = sdk.chat.completions.with_raw_response.create(**chat(LABEL, ASKED, logprobs=True))
    completion = answered.parse()
    assert completion.choices[0].message.content == "refund"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 3
    assert float(answered.headers["x-understudy-confidence"]) > 0.9
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert -0.1 < logprobs.content[0].logprob <= 0
    assert sdk.completions.create(model=LABEL, prompt=ASKED).choices[0].text == "refund"
    assert sdk.responses.create(model=LABEL, input=ASKED).output_text == "refund"


def _streams(sdk: OpenAI) -> None:
    options = {"include_usage": True}
    chunks = list(sdk.chat.completions.create(**chat(LABEL, ASKED, stream=True, stream_options=options)))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "refund"
    assert chunks[-1].usage is not None
    events = list(sdk.responses.create(model=LABEL, input=ASKED, stream=True))
    assert events[-1].type == "response.completed"


def _structures(sdk: OpenAI) -> None:
    urgent = sdk.chat.completions.create(**chat(JSON, "it burns"))
    assert urgent.choices[0].message.content == '{"urgent":true}'
    acted = sdk.chat.completions.create(**chat(TOOL, "close it"))
    calls = acted.choices[0].message.tool_calls
    assert acted.choices[0].finish_reason == "tool_calls"
    assert calls is not None
    assert calls[0].type == "function"
    assert (calls[0].function.name, calls[0].function.arguments) == ("close_ticket", "{}")


def _messages(house: House) -> None:
    body = chat(TOOL, "hand it on", max_tokens=20)
    message = post(house, "/v1/messages", body).json()
    assert message["content"][0]["name"] == "escalate"
    assert message["stop_reason"] == "tool_use"


def test_what_it_does_not_know_has_little_confidence(served: House) -> None:
    near = post(served, "/v1/chat/completions", chat(LABEL, ASKED))
    far = post(served, "/v1/chat/completions", chat(LABEL, "quel temps fait-il demain"))
    nothing = post(served, "/v1/chat/completions", chat(LABEL, ""))

    confidences = [float(each.headers["x-understudy-confidence"]) for each in (near, far, nothing)]
    assert confidences[0] > 0.9 > 0.5 > confidences[1]
    assert confidences[2] == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/chat/completions", {"model": "gone@1", "messages": [{"role": "user"}]}, 404, "model_not_found"),
        ("/v1/chat/completions", {"model": LABEL}, 400, "missing_required_parameter"),
        ("/v1/chat/completions", {"model": LABEL, "messages": []}, 400, "empty_array"),
        ("/v1/chat/completions", ["no object"], 400, None),
        ("/v1/responses", {"model": LABEL, "input": [3]}, 400, "invalid_type"),
        ("/v1/embeddings", {"model": LABEL, "input": "x"}, 404, None),
    ],
)
def test_bad_requests_are_refused_in_openais_words(
    served: House, path: str, body: Any, status: int, code: str | None
) -> None:
    answered = post(served, path, body)

    assert answered.status_code == status
    assert answered.json()["error"]["code"] == code
    assert post(served, "/v1/chat/completions", chat(LABEL, ASKED)).is_success


def test_the_sdk_sees_an_unknown_model_as_not_found(served: House) -> None:
    with client(served) as sdk, pytest.raises(NotFoundError):
        sdk.chat.completions.create(**chat("gone@1", ASKED))


async def test_many_at_the_same_time(served: House) -> None:
    async with AsyncOpenAI(
        base_url=f"{served.url}/v1", api_key="none", http_client=httpx2.AsyncClient(trust_env=False)
    ) as sdk:
        texts = [ASKED, "the parcel never arrived"] * 40
        answers = await asyncio.gather(*[sdk.chat.completions.create(**chat(LABEL, text)) for text in texts])

    assert [answer.choices[0].message.content for answer in answers] == ["refund", "delivery"] * 40


def test_heads_come_and_go_without_a_restart(house: House) -> None:
    first = stored(house.artifacts, LABEL, TICKETS)
    house.serve([deployed(LABEL, str(first.path))])
    second = stored(house.artifacts, "b@1", URGENCY)

    house.serve([deployed("b@1", str(second.path)), deployed(LABEL, str(first.path))])
    house.serve([deployed("b@1", str(second.path))])

    assert post(house, "/v1/chat/completions", chat(LABEL, ASKED)).status_code == 404
    house.publish(deployed("b@1", str(second.path), "demoted"))
    house.wait_for(lambda: house.models() == [])


def test_only_heads_of_this_server_in_service_are_loaded(house: House) -> None:
    place = str(stored(house.artifacts, LABEL, TICKETS).path)

    house.publish(
        deployed("other@1", place, engine="gpu0"), deployed("new@1", place, "observe"), deployed(LABEL, place)
    )

    house.wait_for(lambda: house.models() == [LABEL])


@pytest.mark.parametrize("damage", ["truncated", "missing", "another's"])
def test_a_corrupt_head_is_refused_and_the_good_one_stays(house: House, damage: str) -> None:
    good = stored(house.artifacts, LABEL, TICKETS)
    house.serve([deployed(LABEL, str(good.path))])
    bad = stored(house.artifacts, LABEL, URGENCY)
    _damage(bad.path, damage)

    house.publish(deployed(LABEL, str(bad.path)))

    house.wait_for(lambda: LABEL in httpx2.get(f"{house.url}/health", trust_env=False).json()["complaints"])
    answered = post(house, "/v1/chat/completions", chat(LABEL, ASKED))
    assert answered.json()["choices"][0]["message"]["content"] == "refund"


def _damage(folder: Path, damage: str) -> None:
    arrays = folder / "head.npz"
    match damage:
        case "truncated":
            arrays.write_bytes(arrays.read_bytes()[:1000])
        case "missing":
            arrays.unlink()
        case _:
            (folder / "manifest.json").write_text("{}")


def test_a_forged_publication_is_refused(house: House) -> None:
    good = stored(house.artifacts, LABEL, TICKETS)
    house.serve([deployed(LABEL, str(good.path))])

    (house.state / "learned" / "published.json").write_text('{"key":"","signature":"","publication":{}}')

    house.wait_for(
        lambda: "published.json" in httpx2.get(f"{house.url}/health", trust_env=False).json()["complaints"]
    )
    assert house.models() == [LABEL]


def test_no_torch_is_loaded_for_a_light_head(served: House) -> None:
    assert post(served, "/v1/chat/completions", chat(LABEL, ASKED)).is_success

    maps = Path(f"/proc/{served.process.pid}/maps")
    if not maps.exists():
        pytest.skip("the system does not tell what a process has loaded")
    assert "torch" not in maps.read_text()
    assert "sklearn" not in maps.read_text()
