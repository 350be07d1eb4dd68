"""Made-up chats for the base model: similar in form to what an agent of a shop asks for, equal in nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.base import phrases
from simulator.base.forms import form
from simulator.base.letters import letter
from simulator.base.values import as_json
from simulator.tickets import Ticket

Message = dict[str, Any]
Tools = tuple[Mapping[str, Any], ...]

_FOLLOW_UPS: Final = (0, 0, 1)
_FORMS: Final = 0.12
"""Share of chats that are forms."""


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


def chats(seed: int) -> Iterator[Chat]:
    """Chats without end; the same for the same seed."""
    rng = random.Random(f"base/{seed}")  # noqa: S311  (wording, not secrets)
    while True:
        dice = rng.random()
        yield _form(rng) if dice < _FORMS else _chat(rng)


def _chat(rng: random.Random) -> Chat:
    """A letter with instructions before it, then at times further instructions on the same letter: more to learn from
    for the same reading."""
    found = letter(rng)
    first = rng.choices((_card, _fields, _tool, _answer), (32, 26, 22, 20))[0](found, rng)
    messages = [
        {"role": "system", "content": first.instructions},
        {"role": "user", "content": rng.choice(phrases.FRAMES).format(found.text)},
        *first.said,
    ]
    for _ in range(rng.choice(_FOLLOW_UPS)):
        task = rng.choices((_fields, _answer, _card), (45, 30, 25))[0](found, rng)
        messages += [{"role": "user", "content": task.instructions}, *task.said]
    return Chat(tuple(messages), first.tools)


def _form(rng: random.Random) -> Chat:
    """A form, told again as JSON."""
    instructions, text, said = form(rng)
    roles = (("system", instructions), ("user", text), ("assistant", said))
    return Chat(tuple({"role": role, "content": content} for role, content in roles))


def _card(found: Ticket, rng: random.Random) -> _Task:
    """What a letter is about, and which things it names: nothing to copy, all of it to be judged."""
    lines = (
        ("topic", phrases.TOPICS[found.label]),
        ("hurry", _yes(found.urgent)),
        ("order", _yes(found.order_id is not None)),
        ("goods", _yes(found.product is not None)),
        ("name", _yes(found.customer_name is not None)),
        ("mail", _yes(found.email is not None)),
        ("pieces", str(found.quantity or "none")),
    )
    return _Task(
        rng.choice(phrases.CARD_PROMPTS), _says("\n".join(f"{name} {value}" for name, value in lines))
    )


def _yes(true: bool) -> str:
    return "yes" if true else "no"


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
    return _Task(prompt, _says(as_json(filled)))


def _tool(found: Ticket, rng: random.Random) -> _Task:
    """Call the tool that helps, or ask for what it needs."""
    topics = rng.sample(list(phrases.TOOLS), rng.randint(2, 5))
    if found.label not in topics:
        topics[rng.randrange(len(topics))] = found.label
    tools = tuple(
        phrases.schema(phrases.TOOLS[topic].name, phrases.TOOLS[topic].parameters) for topic in topics
    )
    name = phrases.TOOLS[found.label].name
    prompt = rng.choice(phrases.TOOL_PROMPTS)
    arguments = _arguments(found, phrases.TOOLS[found.label].parameters)
    missing = next((name for name, value in arguments.items() if value is None), None)
    if missing is not None:
        return _Task(prompt, _says(phrases.ASKED[missing]), tools)
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    said: tuple[Message, ...] = ({"role": "assistant", "content": "", "tool_calls": [call]},)
    if rng.random() < 0.15:
        said += _reported(name, rng)
    return _Task(prompt, said, tools)


def _reported(tool: str, rng: random.Random) -> tuple[Message, ...]:
    """What a tool says, and what the assistant makes of it."""
    result: dict[str, Any] = {"done": rng.random() < 0.9, "by": tool}
    if rng.random() < 0.5:
        result = {"state": rng.choice(("ok", "sent", "open")), "number": rng.randrange(100_000)}
    content = json.dumps(result)
    return (
        {"role": "tool", "content": content},
        *_says(phrases.REPORT.format(tool=tool, result=content)),
    )


def _arguments(found: Ticket, parameters: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "order_id": found.order_id and found.order_id.removeprefix("ORD-"),
        "product": found.product,
        "email": found.email,
        "urgent": _yes(found.urgent),
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


def _says(text: str) -> tuple[Message, ...]:
    return ({"role": "assistant", "content": text},)
