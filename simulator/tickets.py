"""Support tickets with known truth: seeded, and rich in wording."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.desk import wording
from simulator.desk.wording import Label


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket and what is true of it; None where its text does not say."""

    number: int
    text: str
    label: Label
    urgent: bool
    order_id: str | None
    product: str | None
    quantity: int | None
    customer_name: str | None
    email: str | None

    def fields(self) -> dict[str, str | int | None]:
        """The order fields that the extraction call has to find."""
        return {
            "order_id": self.order_id,
            "product": self.product,
            "quantity": self.quantity,
            "customer_name": self.customer_name,
            "email": self.email,
        }


def tickets(count: int, *, seed: int = 0) -> Iterator[Ticket]:
    """The first `count` tickets of a seed; each depends on the seed and its number alone."""
    for number in range(count):
        yield ticket(number, seed=seed)


def ticket(number: int, *, seed: int = 0) -> Ticket:
    """One ticket."""
    return _Writer(random.Random(f"ticket/{seed}/{number}")).write(number)  # noqa: S311  (wording, not secrets)


class _Writer:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def write(self, number: int) -> Ticket:
        rng = self._rng
        label: Label = rng.choice(list(wording.COMPLAINTS))
        foreign = rng.random() < 0.03
        template = rng.choice((wording.FOREIGN if foreign else wording.COMPLAINTS)[label])
        order_id = self._order() if "{order}" in template and rng.random() < 0.85 else None
        product, quantity = self._goods() if "{item}" in template else (None, None)
        complaint = template.format(item=_phrase(product, quantity, rng), order=self._mention(order_id))
        name = (
            f"{rng.choice(wording.FIRST_NAMES)} {rng.choice(wording.LAST_NAMES)}"
            if rng.random() < 0.7
            else None
        )
        wants_email = rng.random() < (0.8 if label == "account_access" else 0.3)
        email = self._email(name) if wants_email else None
        urgent, pace = self._pace()
        text = self._arrange(self._styled(complaint[0].upper() + complaint[1:]), pace, name, email)
        return Ticket(number, text, label, urgent, order_id, product, quantity, name, email)

    def _order(self) -> str:
        return f"ORD-{self._rng.randrange(10_000, 999_999)}"

    def _mention(self, order_id: str | None) -> str:
        return (
            ""
            if order_id is None
            else self._rng.choice(wording.ORDERS).format(id=order_id.removeprefix("ORD-"))
        )

    def _goods(self) -> tuple[str, int]:
        product = self._rng.choice(wording.COLOURS) + self._rng.choice(wording.PRODUCTS)
        quantity = self._rng.choice((1, 1, 1, 1, *wording.NUMBERS.values()))
        return product, quantity

    def _email(self, name: str | None) -> str:
        rng = self._rng
        plain = unicodedata.normalize("NFKD", name or rng.choice(("shopper", "pixel.fan", "hello")))
        local = re.sub(r"[^a-z.]", "", plain.lower().replace(" ", "."))
        host = rng.choice(("example.com", "example.org", "mail.example.net"))
        return f"{local}{rng.choice(('', '7', '1984'))}@{host}"

    def _pace(self) -> tuple[bool, str]:
        dice = self._rng.random()
        if dice < 0.25:
            return True, self._rng.choice(wording.URGENT)
        return False, self._rng.choice(wording.CALM) if dice < 0.4 else ""

    def _styled(self, sentence: str) -> str:
        dice = self._rng.random()
        if dice < 0.1:
            return sentence.lower()
        return sentence.upper() if dice < 0.13 else sentence

    def _arrange(self, complaint: str, pace: str, name: str | None, email: str | None) -> str:
        rng = self._rng
        asides = rng.sample(wording.DISTRACTIONS, rng.choice((0, 0, 0, 1, 1, 2)))
        middle = [self._misspelt(part) for part in (complaint, pace, *asides) if part]
        rng.shuffle(middle)
        if email:
            middle.append(rng.choice(wording.CONTACTS).format(email=email))
        signed = name is not None and rng.random() < 0.6
        if name and not signed:
            middle.insert(0, rng.choice(wording.INTRODUCTIONS).format(name=name))
        opening = rng.choice(wording.OPENINGS)
        body = " ".join((opening, *middle)) if rng.random() < 0.7 else "\n".join((opening, *middle))
        ending = f"\n{rng.choice(wording.CLOSINGS)}\n{name}" if signed else ""
        return body.strip() + ending

    def _misspelt(self, sentence: str) -> str:
        if self._rng.random() > 0.15:
            return sentence
        words = "|".join(wording.MISSPELLINGS)
        return re.sub(rf"\b({words})\b", lambda found: wording.MISSPELLINGS[found.group(1)], sentence)


def _phrase(product: str | None, quantity: int | None, rng: random.Random) -> str:
    """The goods in a sentence: `the blue mug`, `3 x blue mug`, `four blue mugs`."""
    if product is None or quantity is None:
        return ""
    if quantity == 1:
        return f"{rng.choice(('the', 'the', 'my', 'this', 'one'))} {product}"
    if rng.random() < 0.4:
        return f"{quantity} x {product}"
    word = next(word for word, number in wording.NUMBERS.items() if number == quantity)
    return f"{rng.choice(('the ', ''))}{rng.choice((word, str(quantity)))} {_plural(product)}"


def _plural(product: str) -> str:
    return product + ("es" if product.endswith(("s", "x", "sh", "ch")) else "s")
