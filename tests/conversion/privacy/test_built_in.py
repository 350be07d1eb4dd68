"""What the built-in recognisers find, and what they leave alone."""

from __future__ import annotations

import pytest

from conversion.privacy.built_in import BuiltIn
from conversion.privacy.recogniser import apart


def _found(text: str) -> list[tuple[str, str]]:
    return [(found.kind, text[found.start : found.end]) for found in apart(BuiltIn().find(text))]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("key sk-abcdefghijklmnop1234 here", "secret", "sk-abcdefghijklmnop1234"),
        ("sk-proj-Ab12_Cd34-Ef56Gh78Ij", "secret", "sk-proj-Ab12_Cd34-Ef56Gh78Ij"),
        ("token ghp_0123456789abcdefghijABCDEFGHIJ012345", "secret", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
        ("AKIAIOSFODNN7EXAMPLE in eu-west-1", "secret", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abcdef0123456789abcdef", "secret", "abcdef0123456789abcdef"),
        ("my password: hunter2!x.", "secret", "hunter2!x"),
        ("api_key=\"0a1b2c3d4e5f\"", "secret", "0a1b2c3d4e5f"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl", "secret",
         "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl"),
        ("Write to Ana.Lopez+shop@Mail.Example.org, please.", "email", "Ana.Lopez+shop@Mail.Example.org"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "iban", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432", "iban", "GB82WEST12345698765432"),
        ("IBAN: NL91 ABNA 0417 1643 00 NOW", "iban", "NL91 ABNA 0417 1643 00"),
        ("card 4111 1111 1111 1111.", "card", "4111 1111 1111 1111"),
        ("5500-0000-0000-0004", "card", "5500-0000-0000-0004"),
        ("from 203.0.113.77 at night", "ip", "203.0.113.77"),
        ("from 2001:db8::8a2e:370:7334", "ip", "2001:db8::8a2e:370:7334"),
        ("call +49 30 901820 today", "phone", "+49 30 901820"),
        ("call (555) 234-5678", "phone", "(555) 234-5678"),
        ("555-234-5678", "phone", "555-234-5678"),
        ("Tel. 030 / 901820", "phone", ""),
        ("0171 2345678", "phone", "0171 2345678"),
        ("SSN 536-22-1234", "identifier", "536-22-1234"),
    ],
)  # fmt: skip
def test_values_are_found(text: str, kind: str, value: str) -> None:
    assert _found(text) == ([(kind, value)] if value else [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Order ORD-493022 of 2026-11-22, 3 x blue mug, 1,299.00 EUR",
        "card 4111 1111 1111 1112",  # its check digit is wrong
        "GB83WEST12345698765432",  # so are its
        "version 1.2.3 and 10.11.12",
        "999.1.1.1 is no address",
        "ratio 16:9, at 10:30:45",
        "sk-short",
        "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "550e8400-e29b-41d4-a716-446655440000",
        "@mention and a@b",
        "127.0.0.1:8400",
    ],
)
def test_other_things_are_left_alone(text: str) -> None:
    assert _found(text) == []


@pytest.mark.parametrize(
    "piece", ["sk-", "sk-.", "eyJ", "a@", "1", "1 ", "A1", "x" * 41, ":", "1.", "+1", "password=."]
)
def test_long_texts_take_a_time_that_grows_with_their_length(piece: str) -> None:
    """Patterns that backtrack would run into the test's timeout."""
    assert len(_found(piece * 20_000)) < 20_000
