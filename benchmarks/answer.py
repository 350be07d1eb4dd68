"""Asks a server once, to be sure that what is measured is the upstream's answer and not an error page."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from benchmarks.peers.peer import Served
from benchmarks.request import ANSWER, AUTHORIZATION, chat_body


class WrongAnswer(Exception):
    """A server that does not pass the upstream's answer on; the message shows what came instead."""


def await_answer(served: Served, *, seconds: float = 60.0) -> None:
    """Ask until the right answer comes, as some servers listen before they can serve; raises WrongAnswer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check_answer(served)
        except (OSError, HTTPException, WrongAnswer) as error:
            if time.monotonic() > deadline:
                raise WrongAnswer(f"no right answer after {seconds:.0f} s: {error}") from error
        time.sleep(0.25)


def check_answer(served: Served) -> None:
    """Ask once; raises WrongAnswer, OSError or HTTPException."""
    parts = urlsplit(served.url)
    headers = {"content-type": "application/json", "authorization": AUTHORIZATION, **dict(served.headers)}
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("POST", parts.path, chat_body(served.model), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200 or _content(body) != ANSWER:
        raise WrongAnswer(f"status {response.status}, body {body[:300]!r}")


def _content(body: bytes) -> object:
    try:
        return json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return None
