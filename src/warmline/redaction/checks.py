"""Numbers that prove themselves by their digits."""

import re

_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """Whether the digits can be the number of a payment card: 13 to 19 that pass Luhn's check."""
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and passes_luhn(digits)


def is_iban(text: str) -> bool:
    """Whether a text is an IBAN whose check digits are right (ISO 13616, modulo 97)."""
    iban = "".join(text.split()).upper()
    if not _IBAN.fullmatch(iban):
        return False
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def is_phone(digits: str) -> bool:
    """Whether so many digits with such a beginning are dialled, where nothing else is known."""
    if len(digits) == 10:
        return digits[0] in "23456789" or digits[0] == "0"
    if len(digits) == 11:
        return digits[0] in "01"
    return len(digits) in (12, 13) and digits.startswith(("44", "001", "0044"))
