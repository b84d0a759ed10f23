"""What became of customers, set beside how their calls went; needs the extra `warmline[research]`.

Here is what is asked, written down before anything is fitted; the other modules answer it. The
heavy libraries (pandas, statsmodels, lifelines, matplotlib) are imported inside functions.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


MEASURES = (
    *("answered_rate", "empathy_to_action", "ownership", "commitments", "dismissive"),
    *("questions_open", "late_apologies", "premature_solutions", "misplaced_offers", "reasks"),
    *("agent_competitive_interruptions", "agent_latency_median_s", "agent_steadiness_level_db"),
)
CONTROLS = ("contact_reason", "duration", "queue", "opening", "month", "heard")
#: Measures of which near 0 is good, on either side: they enter without their sign.
NEAR_ZERO_IS_GOOD = ("agent_steadiness_", "steadiness_")


class Effects(StrEnum):
    """How agents enter the model: compared with themselves, as draws from many, or not at all."""

    FIXED = "fixed"
    RANDOM = "random"
    NONE = "none"


class Model(StrEnum):
    """How an outcome of yes and no is modelled: as shares, or by a logit's average effect."""

    LINEAR = "linear"
    LOGIT = "logit"


class Correction(StrEnum):
    """How p-values allow for there being many: false discovery rate, family-wise, or not."""

    BH = "bh"
    HOLM = "holm"
    NONE = "none"


@dataclass(frozen=True)
class Design:
    """One question: an outcome, the measures it is set beside, and what is held equal.

    `since` (on or after) and `until` (before) are about when the call began, UTC. An outcome counts
    for a call at most `within_days` before it; of being retained it is the horizon: whether the
    customer was still there so long after the call. Then only calls count after which the customer
    stayed for `after_days` (who calls to leave leaves, whatever the agent does), and of no reason
    in `excluded_reasons`. Estimates need `min_n` rows; `confidence` is that of intervals. `model`
    is that of outcomes that are yes or no, with fixed effects. `negative_controls` are outcomes
    that a call cannot have changed: what goes with those, too, is no effect.
    """

    outcome: str = "retained"
    measures: tuple[str, ...] = MEASURES
    controls: tuple[str, ...] = CONTROLS
    effects: Effects = Effects.FIXED
    correction: Correction = Correction.BH
    since: date | None = None
    until: date | None = None
    within_days: float = 90.0
    after_days: float = 7.0
    excluded_reasons: tuple[str, ...] = ()
    min_n: int = 100
    is_simulated: bool = False
    confidence: float = 0.95
    model: Model = Model.LINEAR
    negative_controls: tuple[str, ...] = ()


# Controls as columns of a model: what is held equal when calls are compared.

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
    "heard": ("heard_words", "heard_confidence", "heard_coverage"),
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
