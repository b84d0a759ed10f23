"""Controls as columns of a model: what is held equal when calls are compared."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from warmline.research.robust import Array

#: Columns of the rows that a control stands for, and whether they are words or numbers.
CONTROL_COLUMNS: dict[str, tuple[str, ...]] = {
    "contact_reason": ("contact_reason",),
    "queue": ("queue",),
    "team": ("team",),
    "direction": ("direction",),
    "language": ("language",),
    "month": ("month",),
    "duration": ("log_duration",),
    "opening": ("opening_cues", "opening_hostile", "opening_friction", "opening_rate_words_per_s"),
    "opening_level": ("opening_level_rel_db",),
}
WORDS = frozenset({"contact_reason", "queue", "team", "direction", "language", "month"})
_RARE = 10


@dataclass(frozen=True)
class Controls:
    """Controls of some rows: `columns` to hold equal, and why others are `unusable`."""

    columns: tuple[str, ...]
    unusable: dict[str, str]


def usable(frame: Any, controls: tuple[str, ...]) -> Controls:
    """Return the controls that say anything in these rows: not NULL everywhere, nor constant.

    `frame` is a pandas frame with the columns of `CONTROL_COLUMNS`.
    """
    columns: list[str] = []
    unusable: dict[str, str] = {}
    for control in controls:
        for column in CONTROL_COLUMNS[control]:
            values = frame[column].dropna()
            if values.empty:
                unusable[column] = "not known of any call"
            elif values.nunique() == 1:
                unusable[column] = "the same in all calls"
            else:
                columns.append(column)
    return Controls(tuple(columns), unusable)


def design_matrix(frame: Any, columns: tuple[str, ...]) -> tuple[Array, tuple[str, ...]]:
    """Return the columns as numbers with their names; words become columns, all but the first.

    Words on fewer than ten rows are taken together. Numbers are centred and in their own SD.
    """
    parts: list[Array] = []
    names: list[str] = []
    for column in columns:
        if column in WORDS:
            counts = frame[column].value_counts()
            rare = set(counts.index[counts < _RARE])
            words = frame[column].where(~frame[column].isin(rare), "(rare)")
            for word in sorted(words.unique())[1:]:
                parts.append((words == word).to_numpy(float))
                names.append(f"{column}={word}")
        else:
            values = frame[column].to_numpy(float)
            parts.append((values - values.mean()) / (values.std() or 1.0))
            names.append(column)
    if not parts:
        return np.empty((len(frame), 0)), ()
    return np.column_stack(parts), tuple(names)
