"""Tables: the words of the made-up chats. Names of fields are those of any shop; prompts, tools and answers are others than
the demo agent's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.desk.wording import Label

FIELD_PROMPTS: Final = (
    "Read the letter and fill in: {}.",
    "Give JSON with these keys: {}. What is not said is null.",
    "Take from the text: {}. Answer in JSON, null for what is missing.",
    "You fill in forms. The form has the fields {}.",
    "Fields: {}. Things are named in the singular and in small letters.",
)
FIELD_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "order": ("order", "order_id", "number", "reference"),
    "item": ("item", "product", "goods"),
    "count": ("count", "quantity", "pieces"),
    "name": ("name", "customer_name", "sender"),
    "mail": ("mail", "email", "address"),
}
ORDER_FORMS: Final = ("{}", "#{}", "NO-{}", "REF-{}", "O-{}")
ORDER_HINT: Final = " Orders look like {}."
FRAMES: Final = (
    "{}",
    "{}",
    "{}",
    "Letter:\n{}",
    "Kind: unknown\nLetter:\n{}",
    "From our inbox: {}",
    "Text:\n{}",
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A made-up tool: its name and its parameters."""

    name: str
    parameters: Sequence[str]


TOOLS: Final[Mapping[Label, Tool]] = {
    "order_status": Tool("track_parcel", ("order_id",)),
    "refund": Tool("return_money", ("order_id",)),
    "exchange": Tool("swap_goods", ("order_id", "product")),
    "damaged_item": Tool("report_damage", ("order_id", "product")),
    "billing": Tool("check_bill", ("urgent",)),
    "account_access": Tool("unlock", ("email",)),
    "product_question": Tool("ask_expert", ("urgent",)),
    "cancel_order": Tool("stop_order", ("order_id",)),
}
TOOL_PROMPTS: Final = (
    "Use the tool that helps the writer of the letter.",
    "You work for a shop. Call a tool, or ask for what it needs.",
    "Pick one tool. Ask when something that it needs is missing.",
)
ASKED: Final[Mapping[str, str]] = {
    "order_id": "Which number does your purchase have? Please look into our mail to you.",
    "product": "Which of our goods is it? Please tell us what it is called.",
    "email": "At which address do we reach you? Please send us your mail address.",
}
REPORT: Final = "{tool} says: {result}"
TOPICS: Final[Mapping[Label, str]] = {
    "order_status": "a late parcel",
    "refund": "money to be paid back",
    "exchange": "a swap",
    "damaged_item": "broken goods",
    "billing": "a wrong bill",
    "account_access": "no way in",
    "product_question": "advice before buying",
    "cancel_order": "an order to be stopped",
}
CARD_PROMPTS: Final = ("What is the letter about, and what does it name?", "Fill in the card of the letter.")


@dataclass(frozen=True, slots=True)
class Style:
    """A way to answer letters, and the instructions that ask for it."""

    prompt: str
    answer: str
    hurry: str
    """What is added when the writer is in a hurry."""


STYLES: Final = (
    Style(
        "Answer the letter in our usual form: hi, topic, goods and number, the end.",
        "Hi {first}!\nIt is about {topic}: {goods}{number}.{hurry}\nYour shop",
        " We hurry.",
    ),
    Style(
        "Draft a short answer with the name, the goods and the number.",
        "{first}, we have read your lines on {goods}{number}. We see {topic}.{hurry} Bye, the shop",
        " It goes first.",
    ),
    Style(
        "Write back politely. Say what was understood.",
        "Good day {first},\n\nwe understand: {topic}, for {goods}{number}.{hurry}\n\nAll the best",
        " You hear from us at once.",
    ),
)


def schema(name: str, parameters: Sequence[str]) -> dict[str, Any]:
    """A tool in OpenAI's words."""
    properties: dict[str, Any] = {parameter: {"type": "string"} for parameter in parameters}
    if "urgent" in properties:
        properties["urgent"]["enum"] = ["yes", "no"]
    function = {
        "name": name,
        "parameters": {"type": "object", "properties": properties, "required": list(parameters)},
    }
    return {"type": "function", "function": function}
