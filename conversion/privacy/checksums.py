"""Check digits: of payment cards (Luhn, ISO/IEC 7812-1) and of IBANs (ISO 13616, modulo 97)."""

from __future__ import annotations

from typing import Final

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    return len(digits) > 1 and luhn_digit(digits[:-1]) == digits[-1]


def luhn_digit(digits: str) -> str:
    """The check digit to be written after these digits."""
    doubled = sum(_DOUBLED[int(digit)] for digit in digits[-1::-2])
    plain = sum(int(digit) for digit in digits[-2::-2])
    return str(-(doubled + plain) % 10)


def iban_valid(iban: str) -> bool:
    """Whether an IBAN, written without spaces in capitals, has its check digits right."""
    return _remainder(iban[4:] + iban[:4]) == 1


def iban_check(country: str, account: str) -> str:
    """The two check digits of an account in a country."""
    return f"{98 - _remainder(account + country + '00'):02d}"


def _remainder(characters: str) -> int:
    return int("".join(str(int(character, 36)) for character in characters)) % 97
