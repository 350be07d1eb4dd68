"""Who may call: the agent's own key, or proxy keys with roles, with no database on the way."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI, AuthenticationError

from cli.context import MIRROR_FILE
from simulator.activity import Recorder
from simulator.server import RunningServer
from store.database import open_engine, upgrade
from store.proxy_keys import ProxyKeys, Role
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import Answer, connected, request
from tests.proxy.running import RunningProxy, wait_for

JSON = "content-type: application/json"
CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
KEY = {"LLM_KEY": "sk-upstream"}


async def post(proxy: RunningProxy, *lines: str, path: str = "/v1/chat/completions") -> Answer:
    async with connected(proxy.port) as client:
        await client.send(request("POST", path, CHAT, JSON, *lines))
        return await client.answer()


def sent(llm_app: Recorder) -> dict[bytes, bytes]:
    return dict(llm_app.seen[-1].headers)


class Keys:
    """The keys of one proxy, as `understudy keys` and the shipper handle them."""

    def __init__(self, proxy: RunningProxy) -> None:
        url = proxy.configuration.settings.store.url
        upgrade(url)
        self._engine = open_engine(url)
        self._keys = ProxyKeys(self._engine)
        self._mirror: Path = proxy.configuration.settings.state_dir / MIRROR_FILE

    def create(self, role: Role) -> tuple[str, str]:
        """Id and secret of a new key that the workers' file knows."""
        key = self._keys.create(f"a {role}", role, int(time.time()))
        self._keys.mirror(self._mirror)
        return key.id, key.secret

    def revoke(self, key: str) -> None:
        assert self._keys.revoke(key, int(time.time()))
        self._keys.mirror(self._mirror)

    def close(self) -> None:
        self._engine.dispose()


def with_keys(start_proxy: StartProxy, llm: RunningServer) -> RunningProxy:
    section = {"base_url": llm.base_url, "api_key_env": "LLM_KEY"}
    return start_proxy(section, environ=KEY, auth={"mode": "keys"})


def known(proxy: RunningProxy, secret: str) -> bool:
    """Whether the proxy takes the key by now."""
    response = httpx2.get(f"{proxy.base_url}/models", headers={"authorization": f"Bearer {secret}"})
    return response.status_code == 200


# Passthrough


@pytest.mark.parametrize(
    "line", ["authorization: Bearer sk-agent", "x-api-key: sk-agent", "api-key: sk-agent"]
)
async def test_the_agents_own_key_goes_upstream(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder, line: str
) -> None:
    proxy = start_proxy({"base_url": llm.base_url, "api_key_env": "LLM_KEY"}, environ=KEY)
    assert (await post(proxy, line)).status == 200
    name, _, value = line.partition(": ")
    assert sent(llm_app)[name.encode()] == value.encode()
    assert b"sk-upstream" not in b"".join(sent(llm_app).values())
    assert proxy.record().key == ""


async def test_a_missing_key_is_filled_in(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder
) -> None:
    proxy = start_proxy({"base_url": llm.base_url, "api_key_env": "LLM_KEY"}, environ=KEY)
    assert (await post(proxy)).status == 200
    assert sent(llm_app)[b"authorization"] == b"Bearer sk-upstream"
    await post(proxy, "anthropic-version: 2023-06-01", path="/v1/messages")
    assert sent(llm_app)[b"x-api-key"] == b"sk-upstream"
    assert b"authorization" not in sent(llm_app)


async def test_the_upstreams_fixed_headers_come_with_every_request(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder
) -> None:
    proxy = start_proxy({"base_url": llm.base_url, "headers": {"OpenAI-Organization": "org-1"}})
    await post(proxy)
    assert sent(llm_app)[b"openai-organization"] == b"org-1"


# Keys


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/files", "/v1/unknown"])
@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), "missing_api_key"),
        (("authorization: Basic abc",), "missing_api_key"),
        (("authorization: Bearer usk_wrong",), "invalid_api_key"),
        (("x-api-key: \xff",), "invalid_api_key"),
    ],
)
async def test_who_is_not_known_gets_401(
    start_proxy: StartProxy,
    llm: RunningServer,
    llm_app: Recorder,
    path: str,
    lines: tuple[str, ...],
    code: str,
) -> None:
    before = llm_app.counts.started
    proxy = with_keys(start_proxy, llm)
    answer = await post(proxy, *lines, path=path)
    assert answer.status == 401
    error = json.loads(answer.body)["error"]
    if path == "/v1/messages":
        assert json.loads(answer.body)["type"] == "error"
        assert error["type"] == "authentication_error"
    else:
        assert (error["code"], error["param"]) == (code, None)
    assert "usk_wrong" not in error["message"]
    assert llm_app.counts.started == before
    assert proxy.record().status == 401


async def test_the_sdk_raises_its_own_error_for_it(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = with_keys(start_proxy, llm)
    async with AsyncOpenAI(base_url=proxy.base_url, api_key="usk_wrong", max_retries=0) as sdk:
        with pytest.raises(AuthenticationError):
            await sdk.models.list()


@pytest.mark.parametrize(
    "spelling", ["authorization: Bearer {}", "authorization: bearer  {}", "x-api-key: {}"]
)
async def test_a_proxy_key_is_replaced_by_the_upstreams(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder, spelling: str
) -> None:
    proxy = with_keys(start_proxy, llm)
    keys = Keys(proxy)
    key_id, secret = keys.create("agent")
    wait_for(lambda: known(proxy, secret), "the proxy knows the key")
    answer = await post(proxy, spelling.format(secret))
    assert answer.status == 200
    assert sent(llm_app)[b"authorization"] == b"Bearer sk-upstream"
    assert not any(secret.encode() in value for value in sent(llm_app).values())
    assert proxy.journaled()[-1].key == key_id
    keys.close()


def test_a_revoked_key_is_refused_soon(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = with_keys(start_proxy, llm)
    keys = Keys(proxy)
    key_id, secret = keys.create("agent")
    wait_for(lambda: known(proxy, secret), "the proxy knows the key")
    keys.revoke(key_id)
    wait_for(lambda: not known(proxy, secret), "the proxy refuses the key")
    keys.close()


def test_keys_work_while_the_database_is_away(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = with_keys(start_proxy, llm)
    keys = Keys(proxy)
    _, secret = keys.create("viewer")
    wait_for(lambda: known(proxy, secret), "the proxy knows the key")
    keys.close()
    database = Path(proxy.configuration.settings.store.url.removeprefix("sqlite:///"))
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    database.mkdir()
    headers = {"authorization": f"Bearer {secret}"}
    assert httpx2.get(f"{proxy.base_url}/models", headers=headers).status_code == 200
    assert httpx2.get(f"{proxy.url}/readyz").status_code == 200
    stats = httpx2.get(f"{proxy.url}/stats", headers=headers)
    assert (stats.status_code, stats.json()["database"]["status"]) == (200, "away")
    calls = httpx2.get(f"{proxy.url}/calls", headers=headers)
    assert (calls.status_code, calls.json()["error"]["code"]) == (503, "database_away")


FIGURES = ("/stats", "/stats/timeline", "/metrics", "/calls", "/tasks", "/changes")
"""What a viewer sees: no content of calls."""
CONTENT = {"/calls/x": 404, "/calls?text=parcel": 200, "/tasks/x/samples": 200}
"""What shows content, and how it answers who may see it."""
OWNERS = {"/rules": 200}
ROLES: dict[Role, dict[str, int]] = {
    "agent": dict.fromkeys((*FIGURES, *CONTENT, *OWNERS), 403),
    "viewer": {**dict.fromkeys(FIGURES, 200), **dict.fromkeys((*CONTENT, *OWNERS), 403)},
    "curator": {**dict.fromkeys(FIGURES, 200), **CONTENT, **dict.fromkeys(OWNERS, 403)},
    "admin": {**dict.fromkeys(FIGURES, 200), **CONTENT, **OWNERS},
}
CHANGES: tuple[tuple[str, str, Role], ...] = (
    ("POST", "/rules/check", "curator"),
    ("POST", "/rules/explain", "curator"),
    ("POST", "/rules/backtest", "curator"),
    ("POST", "/feedback", "curator"),
    ("PUT", "/rules", "admin"),
)
"""What tries, judges or changes something, and the lowest role that may."""


def test_roles_open_control_pages(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = with_keys(start_proxy, llm)
    keys = Keys(proxy)
    secrets = {role: keys.create(role)[1] for role in ROLES}
    wait_for(lambda: all(known(proxy, secret) for secret in secrets.values()), "the proxy knows the keys")
    for role, pages in ROLES.items():
        headers = {"authorization": f"Bearer {secrets[role]}"}
        got = {page: httpx2.get(proxy.url + page, headers=headers).status_code for page in pages}
        assert got == pages, role
        for method, page, lowest in CHANGES:
            status = httpx2.request(method, proxy.url + page, headers=headers, json={}).status_code
            may = list(ROLES).index(role) >= list(ROLES).index(lowest)
            assert (status == 403) != may, (role, page, status)
            assert status < 500, (role, page, status)
    assert httpx2.get(f"{proxy.url}/stats").status_code == 401
    assert httpx2.get(f"{proxy.url}/healthz").status_code == 200
    refused = httpx2.get(f"{proxy.url}/stats", headers={"authorization": f"Bearer {secrets['agent']}"})
    assert refused.json()["error"]["code"] == "role_missing"
    keys.close()
