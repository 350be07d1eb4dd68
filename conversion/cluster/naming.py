"""Names of tasks: short, readable, without content of calls."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from conversion.cluster.answers import Profile
from conversion.cluster.clustering import Sketch
from conversion.cluster.groups import Group
from router.skeleton import says_nothing, sentences
from wire import shape
from wire.tolerant import mapping, text

Namer = Callable[[Sketch], str]
"""Gives a task a name of a few words, for instance by asking an LLM; empty where it has none."""

_TERMS: Final = 4
_LONGEST: Final = 60
_SHARED: Final = 0.8
"""Share of a task's calls whose opening holds a word, for the word to stand in its name."""

_MAIN: Final = 0.6
"""Share of a task's calls that call a tool, for the tool to stand in its name."""

_WORD: Final = re.compile(r"[^\W\d_][\w-]*")
_SMALL: Final = frozenset(
    [
        "about",
        "above",
        "after",
        "all",
        "and",
        "any",
        "are",
        "based",
        "been",
        "below",
        "but",
        "by",
        "can",
        "current",
        "do",
        "each",
        "following",
        "for",
        "from",
        "given",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "my",
        "no",
        "not",
        "of",
        "on",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "per",
        "please",
        "so",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "this",
        "those",
        "to",
        "up",
        "use",
        "using",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "will",
        "with",
        "you",
        "your",
    ]  # a list of these would be longer
)


def sketch(group: Group, profile: Profile) -> Sketch:
    """What may be told of a group."""
    examples = [member.example for member in group.members]
    tools = Counter(call.name for example in examples for call in example.answer.tool_calls)
    main = [name for name, count in tools.most_common(3) if count >= _MAIN * len(examples)]
    format_ = shape.response_format(examples[0].endpoint, examples[0].request)
    return Sketch(
        kind=profile.kind,
        opening=" ".join(
            _common_words([_opening(example.endpoint, example.request) for example in examples])
        ),
        tools=tuple(main),
        schema=text((mapping(format_.get("json_schema")) or format_).get("name")),
        answers=profile.answers[:5],
    )


def task_id(sketch: Sketch, taken: Collection[str], namer: Namer | None = None) -> str:
    """An id that no other task has."""
    base = slug(namer(sketch)) if namer else ""
    base = base or _plain_id(sketch)
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def title(sketch: Sketch) -> str:
    """One line for people: tool or schema name and top terms."""
    what = sketch.schema or ", ".join(sketch.tools)
    terms = " ".join(_telling(sketch.opening))
    return ": ".join(filter(None, [what, terms])) or "calls without instructions"


def slug(name: str) -> str:
    """A name as an id: lower case ASCII where that can be, words joined by hyphens, parts by slashes."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    parts = (re.sub(r"[^a-z0-9]+", "-", part).strip("-") for part in folded.split("/"))
    return "/".join(part for part in parts if part)[:_LONGEST].strip("-/")


def _plain_id(sketch: Sketch) -> str:
    agent = slug(" ".join(_telling(sketch.opening)[:_TERMS]))
    action = slug(sketch.schema or (sketch.tools[0] if sketch.tools else ""))
    if not action and sketch.kind in ("label", "json"):
        action = sketch.kind
    return "/".join(filter(None, [agent, action])) or f"task/{sketch.kind.replace('_', '-')}"


def _telling(opening: str) -> list[str]:
    return [word for word in opening.split() if word.casefold() not in _SMALL and not says_nothing(word)] or [
        word for word in opening.split() if word.casefold() not in _SMALL
    ]


def _opening(endpoint: shape.Endpoint, body: Any) -> list[str]:
    turns = shape.turns(endpoint, body)
    system = shape.system_text(endpoint, body, turns)
    first = next(sentences(system), "")
    if not first or says_nothing(first):
        first = f"{first} {next(sentences(shape.user_text(turns)), '')}"
    return [word for word in _WORD.findall(first) if len(word) <= 30]


def _common_words(openings: Sequence[list[str]]) -> Iterable[str]:
    """Words that most of the openings hold, in the order of the longest-lived one."""
    counts = Counter(word for opening in openings for word in set(opening))
    return dict.fromkeys(word for word in max(openings, key=len) if counts[word] >= _SHARED * len(openings))
