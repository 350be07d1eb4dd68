"""Which tool a ticket calls for, and what to ask when something is missing."""

from __future__ import annotations

from typing import Any

from simulator.desk.reading import Reading

Action = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""


def action(reading: Reading) -> Action | None:
    """The tool call that moves the ticket forward; None when what it needs is not in the text."""
    label, order_id = reading.label, reading.order_id
    if label in ("billing", "product_question"):
        team = "billing" if label == "billing" else "sales"
        return "escalate", {"team": team, "priority": "high" if reading.urgent else "normal"}
    if label == "account_access":
        return ("reset_password", {"email": reading.email}) if reading.email else None
    if order_id is None:
        return None
    if label == "order_status":
        return "lookup_order", {"order_id": order_id}
    if label == "cancel_order":
        return "cancel_order", {"order_id": order_id}
    reason = "damaged" if label == "damaged_item" else "changed_mind"
    if label == "refund" or (label == "damaged_item" and reading.wants_money):
        return "refund_order", {"order_id": order_id, "reason": reason}
    why = "damaged" if label == "damaged_item" else "preference"
    return "exchange_item", {"order_id": order_id, "product": reading.product or "item", "reason": why}


def question(reading: Reading) -> str:
    """What to ask the customer for."""
    if reading.label == "account_access":
        return "Could you tell us the email address of your account, so that we can send you a new link?"
    return "Could you tell us your order number? It starts with ORD- and is in the confirmation email."


def outcome(tool: str, result: str) -> str:
    """One sentence on what a tool did."""
    done = {
        "lookup_order": "I looked the order up",
        "refund_order": "The refund is on its way",
        "exchange_item": "The exchange has been arranged",
        "cancel_order": "The order has been cancelled",
        "reset_password": "A link for a new password has been sent",
        "escalate": "The ticket is with the right team now",
    }
    return f"{done.get(tool, 'Done')}: {result.strip()[:200]}"
