"""What the agent tells its model: a system prompt for each kind of call, the order schema, the tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from simulator.desk.wording import Label

Kind = Literal["classify", "urgency", "queue", "extract", "act", "reply", "plan"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LABELS: Final[tuple[Label, ...]] = get_args(Label)
QUEUES: Final[Mapping[Label, str]] = {
    "order_status": "logistics",
    "refund": "returns",
    "exchange": "returns",
    "damaged_item": "returns",
    "billing": "finance",
    "account_access": "accounts",
    "product_question": "sales",
    "cancel_order": "logistics",
}
"""Which team's queue a ticket belongs in."""

SYSTEM: Final[dict[Kind, str]] = {
    "classify": (
        "You classify support tickets of an online shop. Answer with exactly one label and nothing else.\nLabels: "
        + ", ".join(LABELS)
    ),
    "urgency": (
        "You judge whether a support ticket is urgent: whether the customer says that it cannot wait, or somebody's "
        "safety is at risk. Answer yes or no and nothing else."
    ),
    "queue": (
        "You route support tickets of an online shop to the team that has to act. Answer with the name of one queue "
        "and nothing else.\nQueues: " + ", ".join(sorted(set(QUEUES.values())))
    ),
    "extract": (
        "You extract order fields from a support ticket of an online shop. Use null for what the ticket does not say. "
        "Write order numbers as ORD- and digits, and products in the singular and in lower case."
    ),
    "act": (
        "You work on support tickets of an online shop with the tools that you are given. Call the one tool that moves "
        "the ticket forward. If something that it needs is missing, ask the customer for it instead. After the tool "
        "has answered, say in one sentence what was done."
    ),
    "reply": (
        "You draft the reply to a support ticket of an online shop. Keep to the template: greeting with the customer's "
        "first name, one sentence that shows what the ticket is about, one on what happens next, and the sign-off "
        "'Your support team'."
    ),
    "plan": (
        "You are the lead of a support desk. Think about the ticket and write a plan for resolving it: what to find "
        "out, what to offer, what could go wrong, and how to keep it from happening again."
    ),
}

_NULLABLE_STRING: Final = {"type": ["string", "null"]}
ORDER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "order_id": _NULLABLE_STRING,
        "product": _NULLABLE_STRING,
        "quantity": {"type": ["integer", "null"]},
        "customer_name": _NULLABLE_STRING,
        "email": _NULLABLE_STRING,
    },
    "required": ["order_id", "product", "quantity", "customer_name", "email"],
    "additionalProperties": False,
}


def _tool(name: str, description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


_ORDER_ID: Final = {"type": "string", "description": "As ORD-12345."}
TOOLS: Final[tuple[dict[str, Any], ...]] = (
    _tool("lookup_order", "Look up where an order is.", order_id=_ORDER_ID),
    _tool(
        "refund_order",
        "Give the customer the money back.",
        order_id=_ORDER_ID,
        reason={"type": "string", "enum": ["damaged", "changed_mind"]},
    ),
    _tool(
        "exchange_item",
        "Send another item instead.",
        order_id=_ORDER_ID,
        product={"type": "string"},
        reason={"type": "string", "enum": ["damaged", "preference"]},
    ),
    _tool("cancel_order", "Cancel an order that has not shipped.", order_id=_ORDER_ID),
    _tool("reset_password", "Send a link for a new password.", email={"type": "string"}),
    _tool(
        "escalate",
        "Hand the ticket to another team.",
        team={"type": "string", "enum": ["billing", "sales"]},
        priority={"type": "string", "enum": ["normal", "high"]},
    ),
)
TOOL_NAMES: Final = frozenset(tool["function"]["name"] for tool in TOOLS)
