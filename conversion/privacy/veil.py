"""The two changes that examples go through: values to pseudonyms when kept, pseudonyms to surrogates when used.

Where the log itself must hold no values of people, records go through both before they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversion.example import Example
from conversion.privacy.built_in import BuiltIn
from conversion.privacy.copied import Copied, copied
from conversion.privacy.pseudonyms import Pseudonyms
from conversion.privacy.recogniser import Recogniser
from conversion.privacy.structure import Place, rewritten, said
from conversion.privacy.surrogates import Surrogates


def recognisers(more: Sequence[Recogniser] = ()) -> tuple[Recogniser, ...]:
    """The built-in ones first; `more` are not asked about instructions, which recognition must find unchanged."""
    return (BuiltIn(), *more)


def veiled(example: Example, pseudonyms: Pseudonyms) -> Example:
    """The example with pseudonyms for what concerns people and for the identifiers that its answer copies."""
    found = copied(said(example.request), example.answer)
    return rewritten(example, Veil(pseudonyms, None if found.nothing else found))


def unveiled(example: Example, surrogates: Surrogates) -> Example:
    """The example with a surrogate for each pseudonym."""
    return rewritten(example, Unveil(surrogates))


@dataclass(frozen=True, slots=True)
class Veil:
    """A rewriter from values to pseudonyms; `copied` is what one answer copies."""

    pseudonyms: Pseudonyms
    copied: Copied | None

    def text(self, text: str, place: Place) -> str:
        if place == "instructions":
            return self.pseudonyms.replace(text, first=1)
        return self.pseudonyms.replace(text, self.copied)

    def number(self, literal: str) -> str:
        return self.pseudonyms.replace_number(literal, self.copied)

    def unquoted(self, text: str) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Unveil:
    """A rewriter from pseudonyms to surrogates."""

    surrogates: Surrogates

    def text(self, text: str, place: Place) -> str:
        return self.surrogates.restore(text) if "⟪" in text else text

    def number(self, literal: str) -> str:
        return literal

    def unquoted(self, text: str) -> str | None:
        return self.surrogates.number(text) if text.startswith("⟪") else None
