"""Whether all calls are heard alike: who is left out, and whose words are doubtful.

Recognisers err more on some voices than on others (Koenecke et al. 2020), and a comparison of
agents whose customers, lines or languages differ is then one of recognisers. Groups are what a
centre has consent to look at (`--by`, a field of the metadata), else what stands for it: how sure
the recogniser was, the customer's pitch, the line and the language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from warmline.annotation.agreement import agreement
from warmline.annotation.items import Label
from warmline.annotation.sheets import Key
from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.research.design import Design
from warmline.research.sample import read_calls
from warmline.statistics import Estimate, wilson

#: A difference of more than so many points between a group and all other calls is unfair.
LARGEST_GAP = 0.05
_LEAST_CALLS = 30
_Z = 1.959964
_SURE, _PITCH = "how sure the words are", "the customer's pitch"

_CALLS = """
SELECT
    calls.call_id, calls.language, calls.mean_word_probability AS sure,
    nullif(concat_ws(', ', calls.channel_kind, calls.codec, calls.sample_rate_hz || ' Hz'), '')
        AS line,
    calls.doubtful_words, calls.word_count,
    (calls.no_ledger_reason IS NOT NULL OR calls.agent_party IS NULL)::DOUBLE AS suppressed,
    (
        SELECT max(value) FROM metrics
        WHERE metrics.call_id = calls.call_id AND metrics.name = 'pitch_median_hz'
            AND metrics.party = calls.customer_party
    ) AS pitch,
    calls.extra[$by] AS given
FROM calls
WHERE calls.status = 'analyzed' AND calls.is_simulated = $is_simulated
"""


@dataclass(frozen=True)
class Group:
    """One group of calls. `missing` is the share of calls without a measure, by measure.

    `suppressed` is the share of calls without a ledger, or in which nobody is known to be the
    agent; `doubtful` the share of words that the recogniser doubted. `recall` and `precision` of
    the ledger and `same_answer` (the same view of an answer as people) are there with labels.
    """

    of: str
    group: str
    calls: int
    suppressed: float
    doubtful: float | None
    missing: Mapping[str, float]
    recall: Estimate | None = None
    precision: Estimate | None = None
    same_answer: Estimate | None = None


@dataclass(frozen=True)
class Gap:
    """The distance of a group from all other calls, with its interval.

    `what` is a measure (the share of calls without it), `suppressed`, or `doubtful`.
    """

    of: str
    group: str
    what: str
    difference: float
    low: float
    high: float

    @property
    def is_unfair(self) -> bool:
        """Return whether it exceeds 5 points and is no chance."""
        return abs(self.difference) > LARGEST_GAP and self.low * self.high > 0

    def __str__(self) -> str:
        what = {"suppressed": "is suppressed", "doubtful": "of words are doubtful"}
        said = what.get(self.what, f"has no {self.what}")
        return (
            f"where {self.of} is {self.group}, {self.difference * 100:+.0f} points "
            f"[{self.low * 100:+.0f}, {self.high * 100:+.0f}] {said} against all other calls"
        )


def read_groups(
    warehouse: Path,
    design: Design,
    by: str | None = None,
    sheets: Sequence[Mapping[str, Label]] = (),
    key: Mapping[str, Key] | None = None,
) -> tuple[list[Group], list[Gap]]:
    """Return the groups of all calls and their gaps, `by` a field of the metadata or by stand-ins.

    With labels (`sheets`, `key`) also how well the ledger reads each group. Raises QueryError for
    a field that no call has.
    """
    frame = _read(warehouse, design, by)
    if by is not None and frame["given"].isna().all():
        raise QueryError(f"no call has the field {by!r} in its metadata (calls.extra)")
    groups, gaps = [], []
    for of, names in _groupings(frame, by).items():
        sizes = names.value_counts()
        for name in sorted(sizes.index[sizes >= _LEAST_CALLS]):
            inside = (names == name).to_numpy()
            groups.append(_group(of, str(name), frame, inside, design, sheets, key))
            if len(sizes) > 1:
                gaps += _gaps(of, str(name), frame, inside, names.notna().to_numpy(), design)
    return groups, gaps


def read_gaps(warehouse: Path, design: Design) -> list[Gap]:
    """Return the gaps between groups of all calls, by stand-ins."""
    return read_groups(warehouse, design)[1]


def _read(warehouse: Path, design: Design, by: str | None) -> Any:
    measures = read_calls(warehouse, design)[["call_id", *design.measures]]
    with open_for_reading(warehouse) as con:
        about = con.execute(_CALLS, {"by": by or "", "is_simulated": design.is_simulated}).df()
    return about.merge(measures, on="call_id")


def _groupings(frame: Any, by: str | None) -> dict[str, Any]:
    if by is not None:
        return {by: frame["given"]}
    found = {"language": frame["language"], "the line": frame["line"]}
    for of, column in ((_SURE, "sure"), (_PITCH, "pitch")):
        found[of] = _thirds(frame[column])
    return {of: names for of, names in found.items() if names.notna().any()}


def _thirds(values: Any) -> Any:
    """Return lowest, middle and highest third; None for what is not known."""
    import pandas as pd

    known = values.dropna()
    if known.nunique() < 3:
        return pd.Series(None, index=values.index, dtype=object)
    ranks = known.rank(method="first")
    third = np.minimum((ranks - 1) * 3 // len(ranks), 2).astype(int)
    return third.map(
        dict(enumerate(("the lowest third", "the middle", "the highest third")))
    ).reindex(values.index)


def _group(
    of: str,
    name: str,
    frame: Any,
    inside: Any,
    design: Design,
    sheets: Sequence[Mapping[str, Label]],
    key: Mapping[str, Key] | None,
) -> Group:
    rows = frame[inside]
    words = float(rows["word_count"].sum())
    bare = Group(
        of,
        name,
        len(rows),
        float(rows["suppressed"].mean()),
        float(rows["doubtful_words"].sum()) / words if words else None,
        {m: float(rows[m].isna().mean()) for m in design.measures},
    )
    if not sheets or key is None:
        return bare
    calls = set(rows["call_id"])
    own = [{i: la for i, la in s.items() if key[i].call_id in calls} for s in sheets]
    named = {str(n): sheet for n, sheet in enumerate(own) if sheet}
    if not named:
        return bare
    against = agreement(named, key).against[-1]
    return Group(
        *(bare.of, bare.group, bare.calls, bare.suppressed, bare.doubtful, bare.missing),
        recall=against.recall,
        precision=against.precision,
        same_answer=against.answered,
    )


def _gaps(of: str, name: str, frame: Any, inside: Any, known: Any, design: Design) -> list[Gap]:
    """Return how far a group lies from the others whose group is known, thing by thing."""
    others = known & ~inside
    found = []
    for what in ("suppressed", *design.measures):
        lacks = frame["suppressed"] if what == "suppressed" else frame[what].isna()
        found.append(_gap(of, name, what, lacks.to_numpy(float), inside, others))
    if of != _SURE:  # how sure words are differs there by definition
        words = frame["word_count"].to_numpy(float)
        doubtful = frame["doubtful_words"].to_numpy(float) / np.maximum(words, 1.0)
        told = words > 0
        found.append(_gap(of, name, "doubtful", doubtful, inside & told, others & told))
    return [gap for gap in found if gap is not None]


def _gap(of: str, name: str, what: str, lacks: Any, inside: Any, others: Any) -> Gap | None:
    ours, theirs = lacks[inside], lacks[others]
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    if len(ours) < _LEAST_CALLS or len(theirs) < _LEAST_CALLS:
        return None
    difference = float(ours.mean() - theirs.mean())
    if what == "doubtful":  # a mean of shares
        half = _Z * sqrt(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
        return Gap(of, name, what, difference, difference - half, difference + half)
    one, two = wilson(ours.sum(), len(ours)), wilson(theirs.sum(), len(theirs))
    if one is None or two is None or one.low is None or two.low is None:
        return None
    if one.high is None or two.high is None:
        return None
    # Newcombe 1998, method 10.
    low = difference - sqrt((one.value - one.low) ** 2 + (two.high - two.value) ** 2)
    high = difference + sqrt((one.high - one.value) ** 2 + (two.value - two.low) ** 2)
    return Gap(of, name, what, difference, low, high)
