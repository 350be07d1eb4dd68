"""Surrogates: realistic values in place of pseudonyms, of the same shape and kind, the same for the same pseudonym."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from conversion.privacy.checksums import iban_check, luhn_digit
from conversion.privacy.pseudonyms import DIGIT, LOWER, MARK, UPPER

_CONSONANTS: Final = "bcdfghklmnprstvz"
_VOWELS: Final = "aeiou"
_NAMES: Final = (
    "alma", "amir", "anton", "aylin", "bea", "bruno", "carla", "chidi", "clara", "dario", "dina", "elias", "emre",
    "esther", "farid", "fiona", "gloria", "hana", "hugo", "ines", "ivan", "jamal", "jonas", "julia", "kai", "karim",
    "lara", "leon", "lin", "lucia", "malik", "mara", "mateo", "mei", "mira", "nadia", "noah", "nora", "olga", "omar",
    "paula", "petra", "priya", "rafael", "ravi", "rosa", "samir", "sara", "selma", "sofia", "stefan", "tara", "tomas",
    "uma", "vera", "viktor", "wanda", "yara", "yusuf", "zoe",
    "abbott", "aydin", "bauer", "becker", "bianchi", "castro", "chen", "costa", "dubois", "eriksen", "fischer", "garcia",
    "gupta", "haddad", "hansen", "horvat", "ito", "jansen", "kaya", "keller", "kim", "kowalski", "larsen", "lopez",
    "mbeki", "meyer", "moreau", "nakamura", "novak", "okafor", "olsen", "patel", "pereira", "petrov", "rossi", "sato",
    "silva", "singh", "tanaka", "tran", "vargas", "weber", "wong", "yilmaz", "zhang",
)  # fmt: skip
_PLACES: Final = (
    "aberdeen", "antalya", "bergen", "bologna", "cardiff", "cordoba", "dresden", "durban", "essen", "galway", "ghent",
    "graz", "haifa", "izmir", "kyoto", "leeds", "leon", "lima", "linz", "lodz", "lyon", "malaga", "mombasa", "nantes",
    "odense", "osaka", "perth", "porto", "pune", "quito", "riga", "salem", "sapporo", "seville", "split", "tampere",
    "turin", "utrecht", "valencia", "vilnius", "zagreb",
)  # fmt: skip
_ENDINGS: Final = ("com", "com", "net", "org", "de", "fr", "io", "co.uk")
_COUNTRIES: Final = {15: "NO", 16: "BE", 18: "DK", 20: "AT", 21: "CH", 22: "DE", 23: "AE", 24: "ES", 25: "PT", 27: "FR",
                     28: "PL"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surrogates:
    """Puts surrogates in place of pseudonyms; the same data set and seed give the same ones."""

    seed: str
    kept: Mapping[str, str] = field(default_factory=dict)
    """Values that stay as they are, by the digest of their pseudonym."""

    def restore(self, text: str) -> str:
        """The text with a surrogate for each pseudonym."""
        return MARK.sub(lambda match: self.of(match["kind"], match["digest"], match["shape"]), text)

    def number(self, text: str) -> str | None:
        """The JSON number that a text stands for, when it is the pseudonym of one; else None."""
        match = MARK.fullmatch(text)
        return self.of(match["kind"], match["digest"], match["shape"]) if match and match["number"] else None

    def of(self, kind: str, digest: str, shape: str) -> str:
        """The surrogate of one pseudonym."""
        kept = self.kept.get(digest)
        if kept is not None:
            return kept
        rng = random.Random(f"{self.seed}/{digest}")  # noqa: S311  realistic values, not secrets
        return _MAKERS.get(kind, _filled)(shape, rng)


def _filled(shape: str, rng: random.Random) -> str:
    """Digit for digit, letter for letter."""
    return _laid(shape, lambda mark: _random_character(mark, rng))


def _random_character(mark: str, rng: random.Random) -> str:
    letter = rng.choice("abcdefghijklmnopqrstuvwxyz")
    return {DIGIT: str(rng.randrange(10)), UPPER: letter.upper(), LOWER: letter}[mark]


def _laid(shape: str, character: Callable[[str], str]) -> str:
    return "".join(character(mark) if mark in (DIGIT, UPPER, LOWER) else mark for mark in shape)


def _number(shape: str, rng: random.Random) -> str:
    """The first digit is never 0, so that a JSON number stays one."""
    digits = [str(rng.randrange(1, 10)), *(str(rng.randrange(10)) for _ in range(shape.count(DIGIT) - 1))]
    return _in_order(shape, digits)


def _in_order(shape: str, characters: list[str]) -> str:
    left = iter(characters)
    return _laid(shape, lambda mark: next(left))


def _card(shape: str, rng: random.Random) -> str:
    length = shape.count(DIGIT)
    body = rng.choice("45") + "".join(str(rng.randrange(10)) for _ in range(length - 2))
    return _in_order(shape, list(body + luhn_digit(body)))


def _iban(shape: str, rng: random.Random) -> str:
    marks = [mark for mark in shape if mark in (DIGIT, UPPER, LOWER)]
    country = _COUNTRIES.get(len(marks), "DE") if UPPER not in marks[4:] else "GB"
    account = "".join(_random_character(mark, rng) for mark in marks[4:]).upper()
    return _in_order(shape, list(country + iban_check(country, account) + account))


def _address(shape: str, rng: random.Random) -> str:
    if ":" in shape:
        return _laid(shape, lambda mark: rng.choice("123456789abcdef"))
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4))


def _email(shape: str, rng: random.Random) -> str:
    local, _, _ = shape.partition("@")
    separator = next((mark for mark in local if mark in "._-+"), "")
    name = separator.join(rng.sample(_NAMES, 2)) if separator else rng.choice(_NAMES)
    if DIGIT in local:
        name += str(rng.randrange(1, 99))
    return f"{name}@{_word(rng)}{_word(rng) if rng.random() < 0.5 else ''}.{rng.choice(_ENDINGS)}"


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randrange(2, 4)))


def _out_of(names: tuple[str, ...], shape: str, rng: random.Random) -> str:
    """A name in the case of the one it stands for; of several words, the others are made up."""
    words = shape.split(" ")
    chosen = [rng.choice(names) for _ in words]
    return " ".join(_cased(name, word) for name, word in zip(chosen, words, strict=True))


def _cased(name: str, shape: str) -> str:
    if shape.startswith(UPPER):
        return name.upper() if shape.count(UPPER) > 1 and LOWER not in shape else name.capitalize()
    return name


_MAKERS: Final[Mapping[str, Callable[[str, random.Random], str]]] = {
    "card": _card,
    "iban": _iban,
    "ip": _address,
    "email": _email,
    "phone": _number,
    "number": _number,
    "person": partial(_out_of, _NAMES),
    "place": partial(_out_of, _PLACES),
}
