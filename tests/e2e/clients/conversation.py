"""What every client script does: ask about the weather, run the tool that the model calls, read what it then says.

A script is started as `python -m tests.e2e.clients.with_NAME BASE_URL SESSION [BASE_URL SESSION ...]`, where a base URL
ends in /v1. For each it prints what it heard there as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

MODEL = "gpt-4o-mini"
KEY = "sk-e2e"
SYSTEM = "You tell people about the weather, with the tools that you are given."
QUESTION = 'What is the weather in "Paris"?'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass
class Heard:
    """One conversation as the framework showed it."""

    how: str
    tools: list[str] = field(default_factory=list)
    """Cities that the tool was called with."""
    pieces: int = 1
    """In how many pieces the answer came."""
    text: str = ""

    def get_weather(self, city: str) -> str:
        """Get the weather in a city."""
        self.tools.append(city)
        return f"21 degrees in {city}"


@dataclass(frozen=True)
class Place:
    """Where the script's model is, and how its calls are told from others'."""

    base_url: str
    session: str

    @property
    def root(self) -> str:
        """The base URL without `/v1`."""
        return self.base_url.removesuffix("/v1")

    @property
    def headers(self) -> dict[str, str]:
        return {"x-understudy-session": self.session}


def report(conversations: Mapping[str, Callable[[Place, Heard], None]]) -> None:
    """Hold the conversations at every place, one after another, and print what was heard."""
    for base_url, session in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        heard = []
        for how, hold in conversations.items():
            heard.append(Heard(how))
            hold(Place(base_url, session), heard[-1])
        print(json.dumps([asdict(one) for one in heard]))
