"""Cells of tables that people open in a spreadsheet."""

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """The value; a text that a spreadsheet would take for a formula gets an apostrophe before it.

    What a customer said must never be run (OWASP, CSV injection).
    """
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
