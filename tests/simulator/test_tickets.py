"""The generator knows the truth; the reader has to find it in the words alone."""

from __future__ import annotations

import pytest

from simulator.desk.prompts import LABELS
from simulator.desk.reading import Reading
from simulator.tickets import Ticket, ticket, tickets


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reading_finds_the_truth_of_every_ticket(seed: int) -> None:
    for made in tickets(800, seed=seed):
        read = Reading(made.text)
        assert read.label == made.label, made.text
        assert read.urgent == made.urgent, made.text
        assert read.fields() == made.fields(), made.text


def test_tickets_depend_on_seed_and_number_alone() -> None:
    assert list(tickets(20, seed=5))[13] == ticket(13, seed=5)
    assert ticket(13, seed=5) != ticket(13, seed=6)


def test_tickets_vary() -> None:
    made: list[Ticket] = list(tickets(1000))
    assert len({one.text for one in made}) > 990
    assert {one.label for one in made} == set(LABELS)
    assert 150 < sum(one.urgent for one in made) < 350
    assert any(one.order_id is None for one in made)
    assert any(one.quantity is not None and one.quantity > 1 for one in made)
    assert any("Bestellung" in one.text or "pedido" in one.text or "colis" in one.text for one in made)


@pytest.mark.parametrize(
    ("text", "order_id", "quantity", "name"),
    [
        ("Where is my order #12345?", "ORD-12345", None, None),
        ("ord-77777: three blue mugs... ceramic mugs\nThanks,\nZoë O'Brien", "ORD-77777", 1, "Zoë O'Brien"),
        ("Call me on 555-0142, invoice INV-20931", None, None, None),
        ("My name is José García. 3 x red bike helmet, order no. 543210", "ORD-543210", 3, "José García"),
    ],
)
def test_reading_of_single_texts(
    text: str, order_id: str | None, quantity: int | None, name: str | None
) -> None:
    read = Reading(text)
    assert (read.order_id, read.quantity, read.name) == (order_id, quantity, name)
