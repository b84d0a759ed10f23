"""Annotation: customers' turns for people to label, and how far they and the ledger agree."""

from warmline.annotation.agreement import Against, Agreement, Between, agreement
from warmline.annotation.drawing import Wanted, draw
from warmline.annotation.items import ANSWERS, FEELINGS, NO_FEELING, Item, Label
from warmline.annotation.sheets import Key, read_key, read_sheet, write_sheet

__all__ = [
    "ANSWERS",
    "FEELINGS",
    "NO_FEELING",
    "Against",
    "Agreement",
    "Between",
    "Item",
    "Key",
    "Label",
    "Wanted",
    "agreement",
    "draw",
    "read_key",
    "read_sheet",
    "write_sheet",
]
