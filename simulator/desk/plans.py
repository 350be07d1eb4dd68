"""Open-ended plans: long and varied, as the one kind of call that no small model should take over."""

from __future__ import annotations

import random
from typing import Final

from simulator.desk.reading import Reading

_OPENINGS: Final = (
    "Here is how I would go about the ticket on {topic}.",
    "Let me think this through from the customer's side: the ticket is about {topic}, and the tone is {tone}.",
    "The obvious answer to {topic} is a form letter; I would rather do the following.",
    "Before anything is sent, {topic} deserves a second look, because the tone is {tone}.",
)
_FIND_OUT: Final = (
    "Check {anchor} in the warehouse log and note who touched it last.",
    "Compare the customer's account with what the carrier recorded, hour by hour.",
    "Look for other tickets of the past ten days that mention the {goods}.",
    "Ask the customer for a photo, but only if the log leaves a doubt.",
    "Find out whether {anchor} was part of a split shipment.",
    "Read the last three conversations with this customer for promises that were made.",
    "Confirm with finance that no payment is pending on {anchor}.",
)
_OFFER: Final = (
    "Offer a choice of two ways out and let the customer pick; people who choose complain less.",
    "Give a date rather than 'soon', and put it in our own calendar as well.",
    "Add a small voucher if the wait has passed a week, and say plainly that it is an apology.",
    "Send the {goods} by express from the second warehouse and sort out the paperwork afterwards.",
    "Take the cost ourselves; arguing about it would cost more than the {goods}.",
    "Phone instead of writing: {tone} customers are calmer after five minutes of being listened to.",
)
_RISKS: Final = (
    "The customer may already have asked the bank to reverse the charge; then a refund would pay twice.",
    "If the stock count is wrong again, the promise of a replacement falls through.",
    "A public review is likely if the next message is another template.",
    "The address on file may be outdated, which would send the {goods} astray a second time.",
    "Two colleagues could answer at once; assign the ticket first.",
)
_PREVENT: Final = (
    "Raise the packaging of the {goods} with the supplier; this is not the first time.",
    "Add the question to the help page, with a picture.",
    "Let the system flag orders with no carrier scan for 48 hours.",
    "Review the wording of the confirmation mail, which promises more than we keep.",
    "Put the case on Thursday's list, with the log lines attached.",
)
_TOPICS: Final = {
    "order_status": "a late parcel",
    "refund": "a refund",
    "exchange": "an exchange",
    "damaged_item": "damaged goods",
    "billing": "a disputed charge",
    "account_access": "a locked account",
    "product_question": "a question before a purchase",
    "cancel_order": "a cancellation",
}


def plan(reading: Reading, rng: random.Random) -> str:
    """A plan of some 150 to 350 words."""
    words = {
        "topic": _TOPICS[reading.label],
        "anchor": reading.order_id or "the customer's last order",
        "goods": reading.product or "goods",
        "tone": "pressing" if reading.urgent else rng.choice(("patient", "friendly", "puzzled")),
    }
    sections = [rng.choice(_OPENINGS)]
    for title, table in (
        ("Find out", _FIND_OUT),
        ("Offer", _OFFER),
        ("What could go wrong", _RISKS),
        ("Keep it from happening again", _PREVENT),
    ):
        steps = rng.sample(table, rng.randint(2, min(4, len(table))))
        sections.append(f"{title}:\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1)))
    return "\n\n".join(sections).format(**words)
