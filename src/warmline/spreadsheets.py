"""Cells of tables that people open in a spreadsheet."""

import re
import unicodedata
from typing import Any

_FORMULA = ("=", "+", "-", "@")
# What some program takes for the end of a cell, whatever stands around the cell: Excel separates by
# semicolons where the decimal point is a comma.
_ENDS_A_CELL = re.compile(r"([;\t\r\n\v\f\x85\u2028\u2029]+)")


def safe_cell(value: Any) -> Any:
    """Return the value; a text has an apostrophe wherever a spreadsheet would begin a formula.

    That is at its beginning, and behind what may be taken for the end of a cell. Blanks, letters
    that nobody sees and full-width signs hide no formula. What a customer said must never be run
    (OWASP, CSV injection).
    """
    if not isinstance(value, str):
        return value
    parts = [_as_text(part) for part in _ENDS_A_CELL.split(value)]
    safe = "".join(parts)
    return f"'{safe}" if value and not parts[0] else safe  # it begins with the end of a cell


def _as_text(part: str) -> str:
    """A part of a cell, kept a text."""
    for letter in part:
        if not letter.isspace() and unicodedata.category(letter) not in ("Cc", "Cf"):
            begins = unicodedata.normalize("NFKC", letter).startswith(_FORMULA)
            return f"'{part}" if begins else part
    return part
