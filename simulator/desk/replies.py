"""Templated replies."""

from __future__ import annotations

import random
from typing import Final

from simulator.desk.reading import Reading
from simulator.desk.wording import Label

_ABOUT: Final[dict[Label, str]] = {
    "order_status": "thank you for asking about the delivery of {goods}.",
    "refund": "thank you for telling us that you would like your money back for {goods}.",
    "exchange": "thank you for asking to exchange {goods}.",
    "damaged_item": "we are sorry that {goods} did not reach you in good condition.",
    "billing": "thank you for pointing out the problem with your bill for {goods}.",
    "account_access": "we are sorry that you cannot get into your account.",
    "product_question": "thank you for your interest in {goods}.",
    "cancel_order": "we have your wish to cancel {goods}.",
}
_NEXT: Final[dict[Label, str]] = {
    "order_status": "We have asked the carrier where the parcel is and will write as soon as we know.",
    "refund": "The refund reaches your account within five working days of the return.",
    "exchange": "You will get a return label by email, and the new item leaves once yours is on its way.",
    "damaged_item": "You need not send anything back; please choose between a replacement and a refund.",
    "billing": "Our billing team checks the charge and corrects it within two working days.",
    "account_access": "We have sent a link for a new password; it works for one hour.",
    "product_question": "A colleague from our sales team answers your question within a day.",
    "cancel_order": "If it has not left our warehouse, the order is cancelled today and you are not charged.",
}
_HELLO: Final = ("Dear {name},", "Hello {name},")


def reply(reading: Reading, rng: random.Random | None = None) -> str:
    """The reply to a ticket by the template; an rng makes the greeting vary."""
    goods = reading.product or "your order"
    if reading.product:
        goods = f"the {goods}" if reading.quantity == 1 else f"{reading.quantity} x {goods}"
    if reading.order_id:
        goods += f" (order {reading.order_id})"
    name = (reading.name or "customer").split()[0]
    hello = (rng.choice(_HELLO) if rng else _HELLO[0]).format(name=name)
    hurry = " Your ticket has been marked as urgent." if reading.urgent else ""
    label = reading.label
    return f"{hello}\n\n{_ABOUT[label].format(goods=goods)} {_NEXT[label]}{hurry}\n\nYour support team"
