"""Refusals in the words of the real API."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from simulator.app import create_app
from simulator.general import GeneralBrain
from simulator.server import RunningServer
from simulator.settings import Settings

MESSAGES = [{"role": "user", "content": "hello"}]
GOOD = {"model": "gpt-4o", "messages": MESSAGES}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 7}, "model", "invalid_type"),
        ({"messages": "hello"}, "messages", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": ["hello"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"temprature": 1}, "temprature", "unknown_parameter"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"tools": ["hammer"]}, "tools[0]", "invalid_type"),
        ({"stream": True, "stream_options": "usage"}, "stream_options", "invalid_type"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [1]}, *MESSAGES], "tools": 3},
            "tools",
            "invalid_type",
        ),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema.schema",
            "missing_required_parameter",
        ),
    ],
)
def test_bad_requests(
    http: httpx2.Client, change: dict[str, Any], param: str | None, code: str | None
) -> None:
    answer = http.post("/v1/chat/completions", json=GOOD | change)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe{}", b"[" * 5000])
def test_bodies_that_are_no_json_object(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("We could not parse the JSON body of your request.")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/no/such", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/models/gpt-none", 404),
        ("GET", "/v1/files/file-none/content", 404),
    ],
)
def test_unknown_places(http: httpx2.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-none", messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "model_not_found"


def test_keys_when_required() -> None:
    app = create_app(GeneralBrain(), settings=Settings(require_key="sk-right"))
    with RunningServer(app) as server:
        with OpenAI(base_url=server.base_url, api_key="sk-right", max_retries=0) as client:
            assert client.models.list().data
        wrong = OpenAI(base_url=server.base_url, api_key="sk-secret-wrong", max_retries=0)
        with wrong, pytest.raises(openai.AuthenticationError) as caught:
            wrong.models.list()
        assert caught.value.code == "invalid_api_key"
        assert "secret" not in str(caught.value)
        assert httpx2.get(f"{server.base_url}/models").status_code == 401
        assert httpx2.get(f"{server.base_url}/models", headers={"x-api-key": "sk-right"}).status_code == 200
        assert httpx2.get(server.url).status_code == 200


def test_roles_of_a_wrong_type_are_refused(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", json=GOOD | {"messages": [{"role": [], "content": "x"}]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages[0].role")
