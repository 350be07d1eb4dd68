"""Models, embeddings, files, speech, WebSockets and the plain pages."""

from __future__ import annotations

import gzip
import json

import httpx2
import pytest
from openai import OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from simulator.app import create_app
from simulator.general import GeneralBrain
from simulator.server import RunningServer
from simulator.settings import Settings

BINARY = bytes(range(256)) * 40 + b"\r\n--\r\n"


def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "gpt-4o-mini" in names
    assert client.models.retrieve("gpt-4o-mini").owned_by == "system"


def test_embeddings_are_seeded_unit_vectors(client: OpenAI) -> None:
    made = client.embeddings.create(
        model="text-embedding-3-small", input=["a red mug", "a red mug", "tax law"]
    )
    vectors = [item.embedding for item in made.data]
    assert vectors[0] == vectors[1] != vectors[2]
    assert len(vectors[0]) == 1536
    assert sum(value * value for value in vectors[0]) == pytest.approx(1.0, abs=1e-4)
    floats = client.embeddings.create(
        model="text-embedding-3-small", input="x", dimensions=8, encoding_format="float"
    )
    assert len(floats.data[0].embedding) == 8


def test_files_come_back_byte_for_byte(client: OpenAI) -> None:
    made = client.files.create(file=("scan.bin", BINARY), purpose="user_data")
    assert (made.bytes, made.filename, made.purpose) == (len(BINARY), "scan.bin", "user_data")
    assert client.files.content(made.id).read() == BINARY
    assert [file.id for file in client.files.list()] == [made.id]
    assert client.files.delete(made.id).deleted


def test_a_file_upload_without_a_form_is_refused(http: httpx2.Client) -> None:
    assert http.post("/v1/files", content=b"x").status_code == 400
    assert http.post("/v1/files", files={"other": b"x"}).json()["error"]["param"] == "file"


def test_speech_streams_binary(client: OpenAI) -> None:
    arguments = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning"}
    with client.audio.speech.with_streaming_response.create(**arguments) as streamed:  # type: ignore[arg-type]
        first = b"".join(streamed.iter_bytes())
    with client.audio.speech.with_streaming_response.create(**arguments) as streamed:  # type: ignore[arg-type]
        assert b"".join(streamed.iter_bytes()) == first
    assert first.startswith(b"ID3")
    assert len(first) > 8000


def test_pages_say_what_it_is(http: httpx2.Client) -> None:
    assert "stand-in" in http.get("/").text
    assert http.get("/health").status_code == 200
    assert "simulator_requests_total" in http.get("/metrics").text
    head = http.head("/")
    assert (head.status_code, head.content) == (200, b"")


def test_compression_only_when_configured_and_accepted(http: httpx2.Client) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    assert "content-encoding" not in http.post("/v1/chat/completions", json=body).headers
    with RunningServer(create_app(GeneralBrain(), settings=Settings(compress=True))) as server:
        url = f"{server.base_url}/chat/completions"
        plain = httpx2.post(url, json=body, headers={"accept-encoding": "identity"})
        with httpx2.stream("POST", url, json=body, headers={"accept-encoding": "gzip"}) as packed:
            raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(raw))["choices"] == plain.json()["choices"]


def test_realtime_socket_echoes(server: RunningServer) -> None:
    url = server.base_url.replace("http", "ws", 1) + "/realtime?model=gpt-realtime"
    with connect(url, subprotocols=["realtime"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "realtime"
        assert json.loads(socket.recv())["type"] == "session.created"
        event = {"type": "session.update", "session": {"voice": "alloy"}}
        socket.send(json.dumps(event))
        assert json.loads(socket.recv()) == {"type": "simulator.echo", "event": event}
        socket.send(BINARY)
        assert socket.recv() == BINARY
        socket.send("no json")
        assert json.loads(socket.recv())["type"] == "error"
        socket.send('{"type": "response.create"}')
        kinds = [json.loads(socket.recv())["type"] for _ in range(7)]
        assert (kinds[0], kinds[-1]) == ("response.created", "response.done")


def test_responses_socket_answers(server: RunningServer) -> None:
    with connect(server.base_url.replace("http", "ws", 1) + "/responses") as socket:
        socket.send('{"type": "response.create", "model": "gpt-4o", "input": "hello"}')
        kinds = [json.loads(socket.recv())["type"]]
        while kinds[-1] != "response.completed":
            kinds.append(json.loads(socket.recv())["type"])
        assert kinds[0] == "response.created"
        socket.send('{"type": "response.create", "model": "gpt-4o"}')
        assert json.loads(socket.recv())["error"]["param"] == "input"


def test_other_sockets_are_refused(server: RunningServer) -> None:
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        connect(server.base_url.replace("http", "ws", 1) + "/nothing").recv()
