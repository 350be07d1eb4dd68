"""Reads a ticket: label, urgency and order fields, from the words alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from simulator.desk.wording import CLOSINGS, COLOURS, MISSPELLINGS, NUMBERS, PRODUCTS, Label

_CUES: Final[tuple[tuple[Label, tuple[str, ...]], ...]] = (
    (
        "account_access",
        (
            "log in",
            "sign(ing)? in",
            "password",
            "locked out",
            "two-factor",
            "nicht mehr in mein konto",
            "me connecter",
        ),
    ),
    (
        "damaged_item",
        (
            "broken",
            "cracked",
            "damaged",
            "stopped working",
            "not turn on",
            "defective",
            "faulty",
            "in pieces",
            "dent in",
            "besch.digt",
            r"roto\b",
            r"cass.\b",
        ),
    ),
    ("cancel_order", ("cancel", "stornieren", "annuler")),
    (
        "billing",
        (
            "charged",
            "double charge",
            "billed",
            "receipt",
            "payment",
            "corrected bill",
            "abgebucht",
            "cobrado",
        ),
    ),
    ("refund", ("refund", "money back", "reimburse", "r.ckerstattung", "reembolso", "remboursement")),
    ("exchange", ("exchange", "swap", "wrong size", "umtauschen", "cambiar el art")),
    (
        "order_status",
        (
            "still waiting",
            "where is my",
            "not arrived",
            "status of",
            "be delivered",
            "no sign of",
            "shipping update",
            "delivery date",
            r"\btrack\b",
            "hasn't shown up",
            "wo bleibt",
            "d.nde est",
            "o. est mon",
        ),
    ),
    (
        "product_question",
        (
            "does .* (come|take)",
            "before i buy",
            "dimensions",
            "in stock",
            "compatible",
            "warranty",
            "thinking of buying",
            "batteries",
            "garantie",
            "garant.a",
        ),
    ),
)
"""What gives a label away; the first label with a cue wins."""
_ASIDE: Final = re.compile(
    r"last (month|year|time)|previous|neighbour|sister|inv-\d|tracking number|daughter|\b49\.90"
)
"""Sentences about other times and other people say nothing of this ticket."""
_URGENT: Final = re.compile(
    r"urgent|by tomorrow|as soon as possible|please hurry|answer today|immediately|time is short|\basap\b|can't wait|smoke"
)
_CALM: Final = re.compile(r"not urgent|no rush|take your time|no hurry|whenever you have|soon enough")
_ORDER: Final = re.compile(r"(?:\bord-|#|\border(?: number| no\.|:)? ?)(\d{5,6})\b", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NAME_WORD: Final = r"[A-ZÀ-Þ][\w'-]+"
_NAME: Final = re.compile(rf"(?:[Mm]y name is|[Tt]his is|I'm) ({_NAME_WORD} {_NAME_WORD})")
_SIGNED: Final = re.compile(rf"(?:{'|'.join(CLOSINGS)})\s+({_NAME_WORD} {_NAME_WORD})\s*$")
_ITEM: Final = re.compile(
    r"(?:\b(?P<count>\d{1,2}|" + "|".join(NUMBERS) + r")(?: ?x)? )?\b(?P<item>(?:(?:"
    + "|".join(sorted({colour.strip() for colour in COLOURS if colour})) + r") )?(?:" + "|".join(PRODUCTS) + r"))(?:e?s)?\b",
    re.IGNORECASE,
)  # fmt: skip
_WRONG: Final = {wrong: right for right, wrong in MISSPELLINGS.items()}
_WRONG_WORD: Final = re.compile(r"\b(" + "|".join(_WRONG) + r")\b", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """A ticket's text, and what it says."""

    text: str

    @cached_property
    def words(self) -> str:
        """The text in lower case with frequent misspellings put right, asides left out."""
        plain = _WRONG_WORD.sub(lambda found: _WRONG[found.group(1).lower()], self.text).lower()
        sentences = re.split(r"(?<=[.!?])\s+", plain)
        return " ".join(sentence for sentence in sentences if not _ASIDE.search(sentence))

    @property
    def label(self) -> Label:
        """What the ticket is about; a question about a product where nothing gives it away."""
        return next(
            (label for label, cues in _CUES if re.search("|".join(cues), self.words)), "product_question"
        )

    @property
    def urgent(self) -> bool:
        """Whether the customer says that it is."""
        return bool(_URGENT.search(_CALM.sub("", self.words)))

    @property
    def order_id(self) -> str | None:
        """The order number as `ORD-12345`, however it was written."""
        found = _ORDER.search(self.text)
        return f"ORD-{found.group(1)}" if found else None

    @property
    def product(self) -> str | None:
        """The goods, in the singular and in lower case."""
        found = _ITEM.search(self.text)
        return found["item"].lower() if found else None

    @property
    def quantity(self) -> int | None:
        """How many; 1 where goods are named without a number."""
        found = _ITEM.search(self.text)
        if found is None:
            return None
        count = (found["count"] or "1").lower()
        return NUMBERS.get(count) or int(count)

    @property
    def name(self) -> str | None:
        """The customer's name, from an introduction or the signature."""
        found = _NAME.search(self.text) or _SIGNED.search(self.text)
        return found.group(1) if found else None

    @property
    def email(self) -> str | None:
        """The customer's email address."""
        found = _EMAIL.search(self.text)
        return found.group(0) if found else None

    @property
    def wants_money(self) -> bool:
        """Whether money is asked for rather than goods."""
        return bool(
            re.search(r"refund|money back|reimburse|reembolso|remboursement|r.ckerstattung", self.words)
        )

    def fields(self) -> dict[str, str | int | None]:
        """The order fields."""
        return {
            "order_id": self.order_id,
            "product": self.product,
            "quantity": self.quantity,
            "customer_name": self.name,
            "email": self.email,
        }
