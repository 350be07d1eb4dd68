"""What stays of a prompt when its values are taken out: its opening, its persona and its masked lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final
from zlib import crc32

HEAD: Final = 8_000
TAIL: Final = 2_000
"""Characters of a prompt that are read at its two ends; the middle of a longer one is left out."""

LINES: Final = 256
"""Lines that count at most."""

_LONG_LINE: Final = 300
"""A longer line is read sentence by sentence."""

_OPENING: Final = 160
"""Characters of the opening that count."""

_MARK: Final = "\x1a"
_MARKED: Final = bytes(26 if each in b"0123456789@" else each for each in range(256))
"""Digits and @ become the mark, which no line needs to be searched for character by character."""

_QUOTES: Final = (
    ('"', re.compile(r'"[^"]{1,200}"')),
    ("`", re.compile(r"`[^`]{1,200}`")),
    ("'", re.compile(r"'[^']{1,200}'(?!\w)")),
    ("\u201c", re.compile("\u201c[^\u201d]{1,200}\u201d")),
    ("\u201e", re.compile("\u201e[^\u201c\u201d]{1,200}[\u201c\u201d]")),
    ("\u00ab", re.compile("\u00ab[^\u00bb]{1,200}\u00bb")),
)
_SENTENCE: Final = re.compile(r"[^\n]+?(?:[.!?:](?=\s|$)|(?=\n)|$)")
_EDGE: Final = " \t\r.!?:#*-=<>|"

_PUNCTUATION: Final = " \t\r.,;!?:#*-=<>|()[]{}_"

_SAYS_NOTHING: Final = frozenset(
    """a ai all an and answer answers are as assistant assistants at be bot brief briefly careful chat chatbot chatgpt
    claude concise expert for friendly gpt help helpful helpfully helps honest i'm in intelligent is knowledgeable
    language large llm me model my of openai please polite professional question questions request requests respond
    response smart succinctly system task tasks the their to use user user's users very virtual who with you you're your
    hi hello hey dear thanks thank ok okay yes no sure
    """.split()  # noqa: SIM905  # a list of eighty literals would be longer than the file
) | {""}
"""Words that any agent's prompt may begin with; an opening of these alone does not tell one agent from another."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A prompt without its values: numbers, ids, dates, addresses and quoted spans. Holds hashes, no text."""

    digest: bytes
    """Of all masked lines, in order."""
    opening: bytes
    """Of the first sentence, where agents say who they are; empty for an empty text."""
    persona: bytes
    """Of the first two sentences."""
    generic: bool
    """Whether the opening says nothing of the agent ("You are a helpful assistant")."""
    lines: tuple[int, ...]
    """CRC-32 of each masked line that says something, each once, in order."""


def skeleton(text: str) -> Skeleton:
    """Take the values out of a prompt; the cost is bounded for any text."""
    read = ends(text, HEAD, TAIL)
    lines = list(islice(_lines(read), LINES))
    first, second, *_ = [*islice(sentences(read), 2), "", ""]
    return Skeleton(
        digest=_hash("\n".join(lines), 16),
        opening=_hash(first, 8) if first else b"",
        persona=_hash(f"{first}\n{second}", 8),
        generic=says_nothing(first),
        lines=tuple(
            dict.fromkeys(
                crc32(line.encode("utf-8", "surrogatepass")) for line in lines if not says_nothing(line)
            )
        ),
    )


def ends(text: str, head: int, tail: int) -> str:
    """A text without its middle, where it is longer than both ends."""
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def sentences(text: str) -> Iterator[str]:
    """The masked sentences at the start of a text, without their punctuation."""
    for found in _SENTENCE.finditer(text[: 4 * _OPENING].lstrip()):
        if said := masked(found[0][:_OPENING]).strip(_EDGE):
            yield said


def says_nothing(line: str) -> bool:
    """Whether a line could stand before any agent's prompt, or in any conversation."""
    return all(word.strip(_PUNCTUATION).casefold() in _SAYS_NOTHING for word in line.split())


def masked(line: str) -> str:
    """A line with `#` for tokens that hold a digit, an address or a URL, and for quoted spans; spaces made single."""
    return _masked(_mark(line))


def _mark(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").translate(_MARKED).decode("utf-8", "surrogatepass")


def _masked(line: str) -> str:
    for quote, span in _QUOTES:
        if quote in line:
            line = span.sub("#", line)
    words = line.split()
    if _MARK in line or "://" in line:
        words = ["#" if _MARK in word or "://" in word else word for word in words]
    return " ".join(words)


def _lines(text: str) -> Iterator[str]:
    for line in _mark(text).split("\n"):
        parts = line.split(". ") if len(line) > _LONG_LINE else (line,)
        for part in parts:
            if said := _masked(part):
                yield said


def _hash(text: str, size: int) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:size]
