"""Made-up chats for the base model: similar in form to what an agent of a shop asks for, equal in nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.base import phrases
from simulator.base.letters import letter, things
from simulator.tickets import Ticket

Message = dict[str, Any]
Tools = tuple[Mapping[str, Any], ...]

_FOLLOW_UPS: Final = (0, 1, 2, 2)
_BRIEF_LETTER: Final = 110
_ANY_LETTER: Final = 10_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat, with the tools it was given; what the assistant says in it is to be learned."""

    messages: tuple[Message, ...]
    tools: Tools = ()


@dataclass(frozen=True, slots=True)
class _Task:
    """What is asked of a letter, and what the assistant and the tools then say."""

    instructions: str
    said: tuple[Message, ...]
    tools: Tools = ()


def chats(seed: int, repeats: int = 0, brief: int = 0) -> Iterator[Chat]:
    """Chats without end; the same for the same seed. The first `repeats` only ask to say something again, the next
    `brief` ask one thing about short letters: copying is learned sooner from those."""
    rng = random.Random(f"base/{seed}")  # noqa: S311  (wording, not secrets)
    for _ in range(repeats):
        yield _repeat(rng)
    for _ in range(brief):
        yield _chat(rng, _BRIEF_LETTER, (0,))
    while True:
        yield _chat(rng, _ANY_LETTER, _FOLLOW_UPS)


def _chat(rng: random.Random, longest: int, follow_ups: Sequence[int]) -> Chat:
    """A letter with instructions before it, then at times further instructions on the same letter: more to learn from
    for the same reading."""
    found = letter(rng, longest)
    first = rng.choices((_fields, _tool, _answer, _short), (35, 32, 25, 8))[0](found, rng)
    messages = [
        {"role": "system", "content": first.instructions},
        {"role": "user", "content": rng.choice(phrases.FRAMES).format(found.text)},
        *first.said,
    ]
    for _ in range(rng.choice(follow_ups)):
        task = rng.choices((_fields, _answer, _short), (50, 35, 15))[0](found, rng)
        messages += [{"role": "user", "content": task.instructions}, *task.said]
    return Chat(tuple(messages), first.tools)


def _repeat(rng: random.Random) -> Chat:
    """Say it again."""
    what = ", ".join(rng.sample(things(rng), rng.randint(1, 3)))
    roles = (("system", rng.choice(phrases.REPEAT_PROMPTS)), ("user", what), ("assistant", what))
    return Chat(tuple({"role": role, "content": content} for role, content in roles))


def _fields(found: Ticket, rng: random.Random) -> _Task:
    """Fill in the fields that the instructions name, under the names that they give them."""
    values = {
        "order": found.order_id
        and rng.choice(phrases.ORDER_FORMS).format(found.order_id.removeprefix("ORD-")),
        "item": found.product,
        "count": found.quantity,
        "name": found.customer_name,
        "mail": found.email,
    }
    chosen = rng.sample(list(values), rng.randint(2, len(values)))
    filled = {rng.choice(phrases.FIELD_NAMES[key]): values[key] for key in chosen}
    prompt = rng.choice(phrases.FIELD_PROMPTS).format(", ".join(filled))
    if "order" in chosen and values["order"]:
        prompt += phrases.ORDER_HINT.format(str(values["order"]).rstrip("0123456789") + "123")
    return _Task(prompt, _says(json.dumps(filled, ensure_ascii=False, separators=(",", ":"))))


def _tool(found: Ticket, rng: random.Random) -> _Task:
    """Call the tool that helps, or ask for what it needs."""
    topics = rng.sample(list(phrases.TOOLS), rng.randint(3, 8))
    if found.label not in topics:
        topics[rng.randrange(len(topics))] = found.label
    named = {topic: rng.choice(phrases.TOOLS[topic].names) for topic in topics}
    tools = tuple(phrases.schema(named[topic], phrases.TOOLS[topic].parameters) for topic in topics)
    prompt = rng.choice(phrases.TOOL_PROMPTS)
    arguments = _arguments(found, phrases.TOOLS[found.label].parameters)
    missing = next((name for name, value in arguments.items() if value is None), None)
    if missing is not None:
        return _Task(prompt, _says(phrases.ASKED[missing]), tools)
    call = {"type": "function", "function": {"name": named[found.label], "arguments": arguments}}
    said: tuple[Message, ...] = ({"role": "assistant", "content": "", "tool_calls": [call]},)
    if rng.random() < 0.25:
        said += _reported(named[found.label], rng)
    return _Task(prompt, said, tools)


def _reported(tool: str, rng: random.Random) -> tuple[Message, ...]:
    """What a tool says, and what the assistant makes of it."""
    result: dict[str, Any] = {"done": rng.random() < 0.9, "by": tool}
    if rng.random() < 0.5:
        result = {"state": rng.choice(("ok", "sent", "open")), "number": rng.randrange(100_000)}
    content = json.dumps(result)
    return (
        {"role": "tool", "content": content},
        *_says(rng.choice(phrases.REPORTS).format(tool=tool, result=content)),
    )


def _arguments(found: Ticket, parameters: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "number": found.order_id and found.order_id.removeprefix("ORD-"),
        "goods": found.product,
        "mail": found.email,
        "urgent": "yes" if found.urgent else "no",
    }
    return {name: values[name] for name in parameters}


def _answer(found: Ticket, rng: random.Random) -> _Task:
    """Draft an answer that names person, goods and number."""
    goods = found.product or "your letter"
    if found.product and found.quantity != 1:
        goods = f"{found.quantity} pieces of {found.product}"
    style = rng.choice(phrases.STYLES)
    said = style.answer.format(
        first=(found.customer_name or "friend").split()[0],
        goods=goods,
        number=f" [{found.order_id.removeprefix('ORD-')}]" if found.order_id else "",
        topic=phrases.TOPICS[found.label],
        hurry=style.hurry if found.urgent else "",
    )
    return _Task(style.prompt, _says(said))


def _short(found: Ticket, rng: random.Random) -> _Task:
    """Say in a few words what a letter is about, or whether it is in a hurry."""
    if rng.random() < 0.6:
        return _Task(rng.choice(phrases.TOPIC_PROMPTS), _says(phrases.TOPICS[found.label]))
    return _Task(rng.choice(phrases.HURRY_PROMPTS), _says("in a hurry" if found.urgent else "in no hurry"))


def _says(text: str) -> tuple[Message, ...]:
    return ({"role": "assistant", "content": text},)
