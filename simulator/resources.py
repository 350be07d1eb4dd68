"""The endpoints no small model answers: models, embeddings, files, speech."""

from __future__ import annotations

import base64
import hashlib
import math
import random
import re
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

from serving.endpoints import tokens
from serving.endpoints.errors import ApiError, unknown_model
from serving.endpoints.exchange import Exchange
from serving.endpoints.validation import check, parse
from simulator.settings import Settings

_DIMENSIONS = {"text-embedding-3-large": 3072}


async def list_models(exchange: Exchange, settings: Settings) -> None:
    """GET /v1/models."""
    models = [_model(name, settings) for name in settings.models if name != "*"]
    await exchange.send_json({"object": "list", "data": models})


async def get_model(exchange: Exchange, settings: Settings) -> None:
    """GET /v1/models/{id}."""
    name = exchange.path.removeprefix("/v1/models/")
    if not settings.has(name):
        raise unknown_model(name)
    await exchange.send_json(_model(name, settings))


def _model(name: str, settings: Settings) -> dict[str, Any]:
    model: dict[str, Any] = {"id": name, "object": "model", "created": 1_700_000_000}
    if settings.dialect.name == "vllm":
        return model | {
            "owned_by": settings.dialect.owner,
            "root": name,
            "parent": None,
            "max_model_len": 8192,
            "permission": [_permission(name)],
        }
    return model | {"owned_by": settings.dialect.owner}


def _permission(model: str) -> dict[str, Any]:
    """As vLLM lists it with every model."""
    allowed = {"create_engine": False, "sampling": True, "logprobs": True, "search_indices": False}
    allowed |= {"view": True, "fine_tuning": False}
    return (
        {
            "id": f"modelperm-{tokens.identifier(model, 16).lower()}",
            "object": "model_permission",
            "created": 1_700_000_000,
        }
        | {f"allow_{name}": value for name, value in allowed.items()}
        | {"organization": "*", "group": None, "is_blocking": False}
    )


async def embeddings(exchange: Exchange, settings: Settings) -> None:
    """POST /v1/embeddings: unit vectors that follow from the text; equal texts get equal vectors."""
    body = parse(await exchange.body())
    check(body, "embeddings", strict=settings.dialect.strict)
    if not settings.has(body["model"]):
        raise unknown_model(body["model"])
    given = body["input"]
    texts = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    size = body.get("dimensions") or _DIMENSIONS.get(body["model"], 1536)
    packed = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(embedding(str(text), size), packed=packed),
        }
        for index, text in enumerate(texts)
    ]
    count = sum(tokens.count(str(text)) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    await exchange.send_json({"object": "list", "data": data, "model": body["model"], "usage": usage})


def embedding(text: str, size: int) -> list[float]:
    """A unit vector that follows from the text: the sum of its words' random directions."""
    total = [0.0] * size
    for word in re.findall(r"\w+", text.lower())[:64] or [""]:
        rng = random.Random(word)  # noqa: S311  (a hash with a shape)
        for position in range(size):
            total[position] += rng.random() - 0.5
    norm = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / norm for value in total]


def _encoded(vector: list[float], *, packed: bool) -> list[float] | str:
    if packed:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


class Files:
    """POST /v1/files and what was uploaded there, in memory."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}

    async def upload(self, exchange: Exchange, settings: Settings) -> None:
        """POST /v1/files (multipart/form-data with `file` and `purpose`)."""
        parts = multipart(await exchange.body(), exchange.header("content-type"))
        if "file" not in parts:
            raise ApiError(400, "Missing required parameter: 'file'.", param="file")
        name, content = parts["file"]
        purpose = parts.get("purpose", ("", b"user_data"))[1].decode()
        file: dict[str, Any] = {
            "object": "file",
            "id": f"file-{hashlib.sha256(content).hexdigest()[:24]}",
            "purpose": purpose,
        }
        file |= {"filename": name, "bytes": len(content), "created_at": settings.now(), "expires_at": None}
        file |= {"status": "processed", "status_details": None}
        self._files[str(file["id"])] = (file, content)
        await exchange.send_json(file)

    async def get(self, exchange: Exchange, _: Settings) -> None:
        """GET /v1/files/{id}."""
        await exchange.send_json(self._find(exchange)[0])

    async def content(self, exchange: Exchange, _: Settings) -> None:
        """GET /v1/files/{id}/content: the uploaded bytes."""
        await exchange.send_bytes(self._find(exchange)[1], "application/octet-stream")

    async def list(self, exchange: Exchange, _: Settings) -> None:
        """GET /v1/files."""
        files = [file for file, _content in self._files.values()]
        await exchange.send_json({"object": "list", "data": files, "has_more": False})

    async def delete(self, exchange: Exchange, _: Settings) -> None:
        """DELETE /v1/files/{id}."""
        file, _content = self._find(exchange)
        del self._files[file["id"]]
        await exchange.send_json({"id": file["id"], "object": "file", "deleted": True})

    def _find(self, exchange: Exchange) -> tuple[dict[str, Any], bytes]:
        name = exchange.path.split("/")[3]
        if name not in self._files:
            raise ApiError(404, f"No such File object: {name}", param="id")
        return self._files[name]


async def speech(exchange: Exchange, _: Settings) -> None:
    """POST /v1/audio/speech: bytes that follow from the input, as a chunked binary stream."""
    body = parse(await exchange.body())
    seed = str(body.get("input", ""))

    async def chunks() -> AsyncIterator[bytes]:
        yield b"ID3\x04\x00\x00"
        for number in range(8 + len(seed) % 8):
            yield random.Random(f"{seed}/{number}").randbytes(1021)  # noqa: S311  (noise)

    await exchange.stream(chunks(), "audio/mpeg")


def multipart(body: bytes, content_type: str) -> Mapping[str, tuple[str, bytes]]:
    """The parts of a form by name, each with its file name and bytes; raises ApiError when it is no form."""
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    if "multipart/form-data" not in content_type or found is None:
        raise ApiError(400, "Expected a multipart/form-data body with a boundary.")
    parts = {}
    for part in body.split(b"--" + found.group(1).encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        disposition = head.decode("utf-8", "replace")
        name = re.search(r'\bname="([^"]*)"', disposition)
        filename = re.search(r'\bfilename="([^"]*)"', disposition)
        if name:
            parts[name.group(1)] = (filename.group(1) if filename else "", content.removesuffix(b"\r\n"))
    return parts
