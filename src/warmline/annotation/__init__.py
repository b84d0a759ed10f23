"""Annotation: customers' turns for people to label, and how far they and the ledger agree."""

from warmline.annotation.agreement import (
    Against,
    Agreement,
    Between,
    FeelingRate,
    Together,
    agreement,
)
from warmline.annotation.drawing import Wanted, draw, find_answered
from warmline.annotation.sheets import (
    ANSWERS,
    FEELINGS,
    NO_FEELING,
    Item,
    Key,
    Label,
    answers_path,
    read_key,
    read_labels,
    read_sheet,
    read_texts,
    write_answer_sheet,
    write_disputes,
    write_sheet,
)

__all__ = [
    "ANSWERS",
    "FEELINGS",
    "NO_FEELING",
    "Against",
    "Agreement",
    "Between",
    "FeelingRate",
    "Item",
    "Key",
    "Label",
    "Together",
    "Wanted",
    "agreement",
    "answers_path",
    "draw",
    "find_answered",
    "read_key",
    "read_labels",
    "read_sheet",
    "read_texts",
    "write_answer_sheet",
    "write_disputes",
    "write_sheet",
]
