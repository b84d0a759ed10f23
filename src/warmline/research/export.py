"""The rows of a study as a table that may leave the house, with a codebook.

Nobody is named: agents and customers have numbers by lot, anew in each export; days become weeks
since the first; words that stand on few calls are taken together; numbers are rounded. That makes
it hard to find somebody, not impossible: who knows that one agent was ill all March can still
tell. It stays personal data, less of it.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.files import write_text_whole
from warmline.research.design import CONTROL_COLUMNS, WORDS, Design
from warmline.research.provenance import Provenance
from warmline.research.sample import Sample

_FEWEST = 10
_DIGITS = 4
_READ_R = """\
# Reads the table as it was written: empty is missing, words are factors, ids are words.
calls <- read.csv("calls.csv", na.strings = "", stringsAsFactors = TRUE)
codebook <- read.csv("codebook.csv", stringsAsFactors = FALSE)
stopifnot(identical(names(calls), codebook$name))
"""
_MEANING = {
    "agent": ("id", "who took the call: a number by lot, of this export alone"),
    "customer": ("id", "who called: a number by lot, of this export alone"),
    "week": ("weeks", "weeks from the first call of the export to this one"),
    "outcome": ("", "the outcome {outcome}"),
    "days_after": ("days", "days from the call to the outcome, or followed without one"),
    "weight": ("", "inverse of the chance of being followed so long"),
    "log_duration": ("log s", "natural logarithm of the call's length"),
    "month": ("", "calendar month of the call, UTC"),
    "heard_words": ("", "mean probability of the call's words, as the recogniser has it"),
    "heard_confidence": ("", "mean confidence in the call's measures, 0 to 1"),
    "heard_coverage": ("", "mean share of the call that its measures could look at, 0 to 1"),
    "opening_cues": ("count", "cues of feelings in the first quarter of the conversation"),
    "opening_hostile": ("count", "hostile words and complaints in the first quarter"),
    "opening_friction": ("count", "friction told of in the first quarter"),
    "opening_rate_words_per_s": ("words/s", "the customer's speech rate in the first quarter"),
    "opening_level_rel_db": ("dB", "the customer's level in it, against their whole call"),
}


@dataclass(frozen=True)
class Variable:
    """A column of the table as the codebook has it."""

    name: str
    type: str
    unit: str
    definition: str
    version: str
    missing: int


def write_export(
    sample: Sample, design: Design, made: Provenance, warehouse: Path, folder: Path
) -> tuple[Path, ...]:
    """Write `calls.csv`, `codebook.csv`, `read.R` and `README.txt`; return them, the table first.

    Raises QueryError where there is no row, or rather than write over a table.
    """
    import pandas as pd

    table_path = folder / "calls.csv"
    if table_path.exists():
        raise QueryError(f"{table_path} is there: name another folder")
    if sample.frame.empty:
        raise QueryError(f"no call has the outcome {design.outcome}: there is nothing to export")
    table = deidentified(sample.frame, design)
    codebook = pd.DataFrame(_variables(table, design, warehouse))
    left_out = "".join(f"- {why}: {count}\n" for why, count in sample.flow.items())
    notes = "".join(f"{said}\n" for said in made.sentences())
    texts = {
        "calls.csv": table.to_csv(index=False, float_format=f"%.{_DIGITS}g", lineterminator="\n"),
        "codebook.csv": codebook.to_csv(index=False, lineterminator="\n"),
        "read.R": _READ_R,
        "README.txt": f"{len(table)} of {sample.total} {sample.unit}; left out:\n"
        f"{left_out}\n{notes}",
    }
    for name, text in texts.items():
        write_text_whole(folder / name, text, QueryError, "the export")
    return tuple(folder / name for name in texts)


def deidentified(frame: Any, design: Design) -> Any:
    """Return the rows without names and days, in an order of chance."""
    import pandas as pd

    controls = [c for name in design.controls for c in CONTROL_COLUMNS[name] if c in frame]
    kept = ["outcome", "days_after", "weight", *controls, *design.measures]
    table = frame[[c for c in dict.fromkeys(kept) if c in frame]].copy()
    for column in WORDS & set(controls):
        counts = table[column].value_counts()
        rare = counts.index[counts < _FEWEST]
        table[column] = table[column].where(~table[column].isin(rare), "(rare)")
    began = frame["started_at"]
    table.insert(0, "week", ((began - began.min()).dt.days // 7).astype("Int64"))
    for name, column in (("customer", "customer_id"), ("agent", "agent_id")):
        table.insert(0, name, _by_lot(frame[column], name[0].upper()))
    order = list(range(len(table)))
    secrets.SystemRandom().shuffle(order)
    return pd.DataFrame(table.iloc[order]).reset_index(drop=True)


def _by_lot(names: Any, letter: str) -> Any:
    known = sorted(names.dropna().unique())
    numbers = list(range(1, len(known) + 1))
    secrets.SystemRandom().shuffle(numbers)
    width = len(str(len(known)))
    return names.map({n: f"{letter}{i:0{width}}" for n, i in zip(known, numbers, strict=True)})


def _variables(table: Any, design: Design, warehouse: Path) -> list[Variable]:
    with open_for_reading(warehouse) as con:
        rows = con.execute(
            "SELECT name, unit, definition, version FROM metric_definitions"
        ).fetchall()
    defined = {name: (unit, definition, str(number)) for name, unit, definition, number in rows}
    found = []
    for column in table.columns:
        unit, meaning = _MEANING.get(column, ("", f"{column.replace('_', ' ')} of the call"))
        number = ""
        if column in design.measures:
            unit, meaning, number = defined.get(column, ("", "a column of call_measures", ""))
        is_number = table[column].dtype.kind in "fiu"
        found.append(
            Variable(
                column,
                "number" if is_number else "words",
                unit,
                meaning.format(outcome=design.outcome) if column == "outcome" else meaning,
                number,
                int(table[column].isna().sum()),
            )
        )
    return found
