"""Recognisers that need nothing but the base install: patterns, and checksums where the value has one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from conversion.privacy.checksums import iban_valid, luhn_valid
from conversion.privacy.recogniser import Found, Kind

_SECRET: Final = re.compile(
    r"""
      (?P<prefix>sk-ant-|sk-proj-|sk-|pk-|rk-|xox[abeoprs]-|gh[opsur]_|github_pat_|glpat-|hf_|npm_|pypi-|dop_v1_
        |[srp]k_(?:live|test)_|AKIA|ASIA|AIza|ya29\.|shpat_|SG\.)[A-Za-z0-9_\-./+=]{11,511}[A-Za-z0-9_=]
    | eyJ[A-Za-z0-9_-]{8,999}\.[A-Za-z0-9_-]{8,4095}\.[A-Za-z0-9_-]{8,999}
    | (?i:(?:bearer|basic)\s+)(?P<bearer>[A-Za-z0-9_\-./+=]{15,4095}[A-Za-z0-9_=])
    | (?i:(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?token|auth[_-]?token)["']?\s*[:=]\s*["']?)
        (?P<assigned>[^\s"',;<>\\⟪⟫]{5,255}[^\s"',;<>\\⟪⟫.!?)\]}])
    | (?<![A-Za-z0-9_\-/+.])(?P<opaque>(?=[A-Za-z0-9_-]*[a-z])(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[0-9]{2})
        [A-Za-z0-9_-]{40,200})(?![A-Za-z0-9_\-/+=])
    """,
    re.VERBOSE,
)
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![\w-])",
    re.ASCII,
)
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_CARD: Final = re.compile(r"(?<![0-9.+-])[2-6](?:[ -]?[0-9]){12,18}(?![0-9]|[.,][0-9])")
_IPV4: Final = re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9])", re.ASCII)
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])", re.ASCII)
_PHONE: Final = re.compile(
    r"""(?<![\w.+\-/])(?:
      (?:\+|00)[1-9][0-9]{0,3}(?:[ .\-/]?\(?[0-9]{1,5}\)?){2,6}
    | \(0?[0-9]{2,5}\)[ -]?[0-9]{3,4}[ -]?[0-9]{3,5}
    | [0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4}
    | 0[0-9]{2,5}[ /-][0-9]{3,8}(?:[ -][0-9]{2,5})?
    )(?![\w]|[.\-/][0-9])""",
    re.VERBOSE | re.ASCII,
)
_SOCIAL: Final = re.compile(r"(?<![\w-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![\w-])", re.ASCII)
_IBAN_LENGTHS: Final = range(15, 35)


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """API keys and tokens, email addresses, IBANs, payment cards, IP addresses, phone and social security numbers."""

    def find(self, text: str) -> Iterable[Found]:
        """Findings of the surest recognisers first."""
        yield from _secrets(text)
        if "@" in text:
            yield from _matches(_EMAIL, text, "email", lambda value: True)
        yield from _ibans(text)
        yield from _matches(_CARD, text, "card", lambda value: luhn_valid(_digits(value)))
        yield from _matches(_IPV4, text, "ip", _is_address)
        if "::" in text or text.count(":") > 6:
            yield from _matches(_IPV6, text, "ip", _is_address)
        yield from _matches(_SOCIAL, text, "identifier", lambda value: True)
        yield from _matches(_PHONE, text, "phone", lambda value: 7 <= len(_digits(value)) <= 15)


def _matches(
    pattern: re.Pattern[str], text: str, kind: Kind, holds: Callable[[str], bool]
) -> Iterator[Found]:
    for match in pattern.finditer(text):
        if holds(match[0]):
            yield Found(match.start(), match.end(), kind)


def _secrets(text: str) -> Iterator[Found]:
    for match in _SECRET.finditer(text):
        name = match.lastgroup
        if name == "prefix":
            yield Found(match.start(), match.end(), "secret", keep=len(match["prefix"]))
        elif name is None:
            yield Found(match.start(), match.end(), "secret", keep=3)
        else:
            yield Found(match.start(name), match.end(name), "secret")


def _ibans(text: str) -> Iterator[Found]:
    """What follows an IBAN may look like more of it, so shorter readings are tried too."""
    for match in _IBAN.finditer(text):
        end = match.end()
        while end - match.start() >= _IBAN_LENGTHS.start:
            plain = match.string[match.start() : end].replace(" ", "").replace("-", "")
            if len(plain) in _IBAN_LENGTHS and iban_valid(plain):
                yield Found(match.start(), end, "iban")
                break
            end = max(text.rfind(" ", match.start(), end), text.rfind("-", match.start(), end))


def _is_address(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback)


def _digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())
