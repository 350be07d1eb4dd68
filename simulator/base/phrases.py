"""Tables: the words of the made-up chats. None of them is the demo agent's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.desk.wording import Label

REPEAT_PROMPTS: Final = ("Say it again.", "Repeat the text.", "The same once more:")
FIELD_PROMPTS: Final = (
    "Read the letter and fill in: {}.",
    "Give JSON with these keys: {}. What is not said is null.",
    "Take from the text: {}. Answer in JSON, null for what is missing.",
    "You fill in forms. The form has the fields {}.",
    "Fields: {}. Things are named in the singular and in small letters.",
)
FIELD_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "order": ("order", "number", "reference", "purchase_no", "order_number"),
    "item": ("item", "goods", "article", "thing"),
    "count": ("count", "pieces", "how_many", "amount"),
    "name": ("name", "sender", "person", "full_name"),
    "mail": ("mail", "address", "contact", "write_to"),
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
    """A made-up tool: the names it goes by, and its parameters."""

    names: Sequence[str]
    parameters: Sequence[str]


TOOLS: Final[Mapping[Label, Tool]] = {
    "order_status": Tool(("track_parcel", "find_parcel", "ask_carrier"), ("number",)),
    "refund": Tool(("return_money", "pay_back", "credit_card"), ("number",)),
    "exchange": Tool(("swap_goods", "other_size", "trade"), ("number", "goods")),
    "damaged_item": Tool(("report_damage", "replace_broken", "claim"), ("number", "goods")),
    "billing": Tool(("check_bill", "ask_accounts", "correct_charge"), ("urgent",)),
    "account_access": Tool(("unlock", "new_login", "send_code"), ("mail",)),
    "product_question": Tool(("ask_expert", "product_facts", "advise"), ("urgent",)),
    "cancel_order": Tool(("stop_order", "call_off", "withdraw"), ("number",)),
}
TOOL_PROMPTS: Final = (
    "Use the tool that helps the writer of the letter.",
    "You work for a shop. Call a tool, or ask for what it needs.",
    "Pick one tool. Ask when something that it needs is missing.",
)
ASKED: Final[Mapping[str, str]] = {
    "number": "Which number does your purchase have? Please look into our mail to you.",
    "goods": "Which of our goods is it? Please tell us what it is called.",
    "mail": "At which address do we reach you? Please send us your mail address.",
}
REPORTS: Final = (
    "{tool} says: {result}",
    "It is done. Result: {result}",
    "Result of {tool}: {result}",
    "Finished: {result}",
)
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
TOPIC_PROMPTS: Final = ("What is the letter about?", "Name the topic in a few words.")
HURRY_PROMPTS: Final = ("Is the writer in a hurry?", "Does it have to be done at once?")


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
