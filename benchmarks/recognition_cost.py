"""What a decision costs: one call after another on one core, each body parsed anew as the proxy does."""

from __future__ import annotations

import gc
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from conversion.cluster.cluster import cluster
from conversion.cluster.observation import query_of
from conversion.example import Example
from router.decision import Query
from router.encoder import Encoder
from router.encoders.hashed_ngrams import HashedNgrams
from router.encoders.static import StaticEncoder
from router.recogniser import decode, encode
from router.recognition import Recogniser
from wire.answer import Answer

ROUNDS: Final = 5
CALLS: Final = 500
LARGE: Final = 30_000

_WORDS: Final = re.findall(
    "[a-z]+",
    "order ticket refund flight parcel invoice status customer number please check quickly yesterday address payment "
    "delivery agent missing broken return window policy gift card booking seat luggage delay reason evidence",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor times of one kind of call in microseconds, in the quietest of several rounds: others share the core."""

    what: str
    how: str
    """How the calls were recognised, most of them."""
    p50: float
    p99: float

    def row(self) -> list[str]:
        """As a row of the table."""
        return [self.what, self.how, f"{self.p50:.0f}", f"{self.p99:.0f}"]


def costs(logged: Sequence[Example], seed: int) -> list[Cost]:
    """Decisions on recorded calls, and on made ones of 30 KB; the last ones ask an encoder."""
    source = random.Random(seed)
    recogniser = _loaded(cluster([*logged, *_known(source)], encoder=_static(seed)).recogniser.learned)
    bodies = [orjson.dumps(example.request) for example in logged]
    for example in logged:  # prompts that were seen once are remembered
        recogniser.recognise(query_of(example))
    known = [
        body
        for example, body in zip(logged, bodies, strict=True)
        if _how(recogniser, example) == "fingerprint"
    ]
    found = [_measured("recorded calls", recogniser, lambda _: source.choice(known), source)]
    found += [_measured(what, recogniser, make, source) for what, make in _LARGE.items()]
    for encoder in (_static(seed), HashedNgrams(2048)):
        broad = _loaded(cluster(_broad(source), encoder=encoder).recogniser.learned, encoder)
        name = encoder.name.split("-")[0]
        found.append(_measured(f"broad prompt, new short text, {name}", broad, _asked_short, source))
        found.append(_measured(f"broad prompt, new text of 30 KB, {name}", broad, _asked_long, source))
    return found


def _how(recogniser: Recogniser, example: Example) -> str:
    found = recogniser.recognise(query_of(example))
    return found.how if found else "unknown"


def _measured(
    what: str, recogniser: Recogniser, make: Callable[[random.Random], bytes], source: random.Random
) -> Cost:
    rounds = []
    hows: list[str] = []
    for _ in range(ROUNDS):
        bodies = [make(source) for _ in range(CALLS)]
        queries = [Query("chat.completions", orjson.loads(body), len(body)) for body in bodies]
        for query in queries[:20]:
            recogniser.recognise(query)
        gc.collect()
        times = []
        for query in queries[20:]:
            start = time.thread_time_ns()
            found = recogniser.recognise(query)
            times.append(time.thread_time_ns() - start)
            hows.append(found.how if found else "unknown")
        rounds.append(np.percentile(times, (50, 99)) / 1000)
    p50, p99 = min(rounds, key=lambda each: float(each[1]))
    return Cost(what, max(set(hows), key=hows.count), float(p50), float(p99))


def _loaded(learned: Any, encoder: Encoder | None = None) -> Recogniser:
    """As a worker has it: from bytes."""
    return decode(encode(learned), encoder)


def _prose(source: random.Random, characters: int) -> str:
    words = source.choices(_WORDS, k=characters // 6)
    lines = (
        f"{' '.join(words[start : start + 12])} {source.randrange(10**6)}."
        for start in range(0, len(words), 12)
    )
    return "\n".join(lines)[:characters]


_MANUAL: Final = "You are Claims Clerk. You settle claims by the manual below.\n" + _prose(
    random.Random(1), LARGE
)
_CLERK: Final = "You are Parcel Clerk. You answer questions about parcels."
_TEMPLATE: Final = "Summarise the parcel's story for the customer.\n\nStory:\n"
_TOOLS: Final = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": _prose(random.Random(number), 1_500),
            "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
        },
    }
    for number in range(20)
]


def _long_system(source: random.Random) -> bytes:
    return _chat(_said("system", _MANUAL), _said("user", _prose(source, 80)))


def _long_conversation(source: random.Random) -> bytes:
    turns = [_said(role, _prose(source, 1_500)) for _ in range(10) for role in ("user", "assistant")]
    return _chat(_said("system", _CLERK), *turns, _said("user", "And now?"))


def _long_tools(source: random.Random) -> bytes:
    return _chat(_said("system", _CLERK), _said("user", _prose(source, 80)), tools=_TOOLS)


def _long_user(source: random.Random) -> bytes:
    return _chat(_said("user", _TEMPLATE + _prose(source, LARGE)))


def _unknown(source: random.Random) -> bytes:
    return _chat(_said("system", _prose(source, LARGE)), _said("user", "Go on."))


_LARGE: Final[dict[str, Callable[[random.Random], bytes]]] = {
    "30 KB system prompt": _long_system,
    "30 KB conversation": _long_conversation,
    "30 KB of tools": _long_tools,
    "30 KB user text, no system prompt": _long_user,
    "30 KB system prompt never seen": _unknown,
}


def _known(source: random.Random) -> list[Example]:
    """Calls that make all but the last kind of large ones known."""
    makes = [make for make in _LARGE.values() if make is not _unknown]
    return [
        Example(
            f"{number}-{place}",
            f"s{number}-{place}",
            0,
            "chat.completions",
            orjson.loads(make(source)),
            Answer("Yes."),
        )
        for number, make in enumerate(makes)
        for place in range(3)
    ]


_INTENTS: Final = {
    "summarise": ("Please write a summary of", Answer("Here is the summary.\nAll is well.")),
    "sort": ("Which queue is right for", Answer("billing")),
    "extract": ("Take out the fields of", Answer('{"order": 17, "item": "lamp"}')),
}


def _broad(source: random.Random) -> list[Example]:
    """A prompt that serves three intents, told apart by what the user says."""
    return [
        Example(
            f"{intent}-{number}",
            f"{intent}-{number}",
            0,
            "chat.completions",
            orjson.loads(_chat(_said("system", _CLERK), _said("user", f"{opening} {_prose(source, 60)}"))),
            answer,
        )
        for intent, (opening, answer) in _INTENTS.items()
        for number in range(60)
    ]


def _asked_short(source: random.Random) -> bytes:
    return _asked(source, 60)


def _asked_long(source: random.Random) -> bytes:
    return _asked(source, LARGE)


def _asked(source: random.Random, size: int) -> bytes:
    opening = source.choice([opening for opening, _ in _INTENTS.values()])
    return _chat(_said("system", _CLERK), _said("user", f"{opening} {_prose(source, size)}"))


def _static(seed: int) -> StaticEncoder:
    """A static encoder as large as a distilled one; what its numbers are does not change what it costs."""
    values = np.random.default_rng(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [f"{first}{second}{third}" for first in letters for second in letters for third in letters[:20]]
    tokens = ["[UNK]", *_WORDS, *letters, *(f"##{letter}" for letter in letters), *pieces]
    tokens = list(dict.fromkeys(tokens))
    vectors = values.integers(-127, 128, (len(tokens), 256), dtype=np.int8)
    return StaticEncoder(tokens, vectors, np.full(len(tokens), 0.01, np.float32))


def _said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _chat(*messages: dict[str, Any], **more: Any) -> bytes:
    return orjson.dumps({"model": "gpt-4o-mini", "messages": list(messages), **more})
