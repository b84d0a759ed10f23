"""The rows of a study, read from a published warehouse, and what became of those left out."""

import difflib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from warmline.database import open_for_reading
from warmline.errors import QueryError, SettingsError, WarehouseError
from warmline.research import (
    CONTROL_COLUMNS,
    MEASURES,
    NEAR_ZERO_IS_GOOD,
    WORDS,
    Array,
    Design,
    Effects,
    design_matrix,
    usable,
)
from warmline.research.calibration import Recognised
from warmline.statistics import bootstrap
from warmline.warehouse.tables import sql_files

_LIBRARIES = ("pandas", "statsmodels", "lifelines", "matplotlib")

#: What a study knows of a call; measures that have no column are looked up in `metrics`.
_CALLS = """
CREATE TEMP VIEW study_calls AS
SELECT
    calls.call_id, calls.status, calls.customer_id, calls.started_at, calls.is_simulated,
    -- Where several agents speak, the metadata do not say which of them they name.
    CASE WHEN coalesce(calls.agents, 0) <= 1 THEN calls.agent_id END AS agent_id,
    calls.queue, calls.team, calls.direction, calls.language, calls.contact_reason,
    strftime(calls.started_at, '%Y-%m') AS month,
    ln(nullif(calls.duration_s, 0)) AS log_duration,
    calls.mean_word_probability AS heard_words,
    surely.heard_confidence, surely.heard_coverage,
    opening.* EXCLUDE (call_id){measures}
FROM calls
LEFT JOIN call_measures ON call_measures.call_id = calls.call_id
LEFT JOIN customer_opening AS opening ON opening.call_id = calls.call_id
LEFT JOIN (
    SELECT call_id, avg(confidence) AS heard_confidence, avg(coverage) AS heard_coverage
    FROM metrics
    WHERE value IS NOT NULL
    GROUP BY call_id
) AS surely ON surely.call_id = calls.call_id
WHERE calls.status = 'analyzed'
"""
#: The analyzed calls of a design's kind and time.
_OF_DESIGN = """status = 'analyzed' AND is_simulated = $is_simulated
    AND coalesce(started_at >= $since, true) AND coalesce(started_at < $until, true)
    AND NOT coalesce(list_contains($excluded, contact_reason), false)"""
_LONG_MEASURE = """(
        SELECT max(value) FROM metrics
        WHERE metrics.call_id = calls.call_id AND metrics.name = '{name}'
            AND (metrics.party IS NULL OR metrics.party = calls.agent_party))"""

_FLOW = """
SELECT
    CASE
        WHEN o.call_id IS NULL THEN o.unmatched_reason
        WHEN o.value IS NULL THEN 'given in words, not as a number'
        WHEN o.is_simulated <> $is_simulated
            THEN CASE WHEN o.is_simulated THEN 'of simulated calls' ELSE 'of real calls' END
        WHEN o.days_after > $within_days THEN 'too long after the call'
        WHEN NOT coalesce(o.started_at >= $since, true) OR NOT coalesce(o.started_at < $until, true)
            THEN 'of calls at another time'
        WHEN list_contains($excluded, contact_reason) THEN 'of calls with an excluded reason'
        ELSE ''
    END AS why,
    count(*)
FROM outcome_calls AS o
LEFT JOIN study_calls USING (call_id)
WHERE o.name = $outcome
GROUP BY ALL
ORDER BY ALL
"""
_ROWS = """
SELECT o.value AS outcome, o.days_after, study_calls.*
FROM outcomes_within($outcome, $within_days) AS o
INNER JOIN study_calls ON study_calls.call_id = o.call_id
WHERE o.is_simulated = $is_simulated
    AND coalesce(o.started_at >= $since, true) AND coalesce(o.started_at < $until, true)
    AND NOT coalesce(list_contains($excluded, contact_reason), false)
ORDER BY study_calls.started_at, study_calls.call_id
"""

#: What became of each customer of whom it was said: when the customer left, and the last moment at
#: which the customer was known to be there (said to be, or called).
_FATES = """
CREATE TEMP VIEW customer_fates AS
WITH told AS (
    SELECT coalesce(o.customer_id, calls.customer_id) AS customer_id, o.value, o.at_latest
    FROM outcome_calls AS o LEFT JOIN calls USING (call_id)
    WHERE o.name = 'retained' AND o.value IS NOT NULL AND o.at_latest IS NOT NULL
)
SELECT
    customer_id,
    min(at_latest) FILTER (value = 0) AS left_at,
    greatest(
        max(at_latest) FILTER (value <> 0),
        (SELECT max(started_at) FROM study_calls WHERE study_calls.customer_id = told.customer_id)
    ) AS seen_at
FROM told
WHERE customer_id IS NOT NULL
GROUP BY customer_id
"""
#: Calls at the landmark: who was still there then, and whether the horizon was reached. NULL in
#: `outcome` is censored: the customer was last seen `days_after` the call, before the horizon.
_AT_RISK = """
CREATE TEMP VIEW calls_at_risk AS
SELECT
    study_calls.*, fates.left_at, fates.seen_at,
    date_diff('second', started_at, left_at) / 86400 AS left_after,
    date_diff('second', started_at, greatest(left_at, seen_at)) / 86400 AS seen_after
FROM study_calls INNER JOIN customer_fates AS fates USING (customer_id)
WHERE started_at IS NOT NULL
"""
_RETAINED_FLOW = """
SELECT
    CASE
        WHEN is_simulated <> $is_simulated
            THEN CASE WHEN is_simulated THEN 'simulated calls' ELSE 'real calls' END
        WHEN NOT coalesce(started_at >= $since, true) OR NOT coalesce(started_at < $until, true)
            THEN 'calls at another time'
        WHEN list_contains($excluded, contact_reason) THEN 'calls with an excluded reason'
        WHEN started_at >= left_at THEN 'calls after the customer had left'
        WHEN left_after <= $after_days
            THEN 'the customer left within ' || $after_days::INT || ' days'
        WHEN seen_after <= $after_days AND left_at IS NULL
            THEN 'not heard of for ' || $after_days::INT || ' days after the call'
        WHEN left_at IS NULL AND seen_after < $within_days
            THEN 'not heard of until ' || $within_days::INT || ' days after the call: others stand '
                || 'for them, by weight'
        ELSE ''
    END AS why,
    count(*)
FROM calls_at_risk
GROUP BY ALL
ORDER BY ALL
"""
_RETAINED_ROWS = """
SELECT
    CASE
        WHEN left_after <= $within_days THEN 0.0
        WHEN seen_after >= $within_days THEN 1.0
    END AS outcome,
    least(coalesce(left_after, seen_after), $within_days) AS days_after,
    calls_at_risk.* EXCLUDE (left_at, seen_at, left_after, seen_after)
FROM calls_at_risk
WHERE is_simulated = $is_simulated
    AND coalesce(started_at >= $since, true) AND coalesce(started_at < $until, true)
    AND NOT coalesce(list_contains($excluded, contact_reason), false)
    AND coalesce(left_after > $after_days, seen_after > $after_days)
ORDER BY started_at, call_id
"""
_UNDATED = """
SELECT count(*) FROM outcome_calls
WHERE name = 'retained' AND value IS NOT NULL AND at_latest IS NULL
"""
#: Of the customers who left after a call: how many did on its day.
_SAME_DAY = """
SELECT count(*) FILTER (last_at::DATE = left_at::DATE), count(*)
FROM (
    SELECT left_at, max(started_at) AS last_at
    FROM calls_at_risk
    WHERE is_simulated = $is_simulated AND started_at < left_at
    GROUP BY customer_id, left_at
)
"""

#: Every call is followed until the day the customer left, or the last day on which the customer was
#: known to be there, whatever calls come between: a further call is no reason to stop looking,
#: since who is upset calls again sooner. Time begins at the landmark, `after_days` after the call.
_SPELLS = """
WITH followed AS (
    SELECT
        *,
        date_diff('second', started_at, coalesce(left_at, seen_at)) / 86400 - $after_days AS days
    FROM calls_at_risk
    WHERE is_simulated = $is_simulated AND coalesce(started_at < left_at, true)
)
SELECT
    days,
    (left_at IS NOT NULL)::DOUBLE AS outcome,
    followed.* EXCLUDE (days, left_at, seen_at, left_after, seen_after)
FROM followed
WHERE days > 0
    AND coalesce(started_at >= $since, true) AND coalesce(started_at < $until, true)
    AND NOT coalesce(list_contains($excluded, contact_reason), false)
ORDER BY started_at, call_id
"""


# No row stands for more than twenty.
_LEAST_CHANCE = 0.05


@dataclass(frozen=True)
class Sample:
    """Rows of a study as a pandas frame, one a call with an outcome.

    `flow` says why the others of `total` were left out (reason -> how many); `unit` says what is
    counted. Of being retained, `weight` in the frame is the inverse of the chance of being followed
    so long, `spells` are the rows of the survival model (`days` followed after the landmark, and
    `outcome` 1 when the customer left at their end), `left_same_day` is how many customers, of how
    many who left after a call, left on the day of their last one, and `undated` counts outcomes
    that cannot be placed in time. None for other outcomes.
    """

    frame: Any
    total: int
    unit: str
    flow: dict[str, int]
    spells: Any | None = None
    left_same_day: tuple[int, int] | None = None
    undated: int | None = None


def read_sample(warehouse: Path, design: Design) -> Sample:
    """Return the rows that a design asks for.

    Raises QueryError for an outcome, measure or control that is not there, naming those that are;
    WarehouseError when there is no warehouse, or one of before there were outcomes.
    """
    if design.after_days >= design.within_days:
        raise QueryError(
            f"--after-days {design.after_days:g} is not below --within-days {design.within_days:g}"
        )
    with _reading(warehouse) as con:
        _require_outcome(con, design.outcome)
        _require_controls(design.controls)
        con.execute(_CALLS.format(measures=_measures(con, design.measures)))
        read = _retained_sample if design.outcome == "retained" else _outcome_sample
        return read(con, design)


def _outcome_sample(con: duckdb.DuckDBPyConnection, design: Design) -> Sample:
    asked = _asked(design) | {"outcome": design.outcome, "within_days": design.within_days}
    counts = dict(con.execute(_FLOW, asked).fetchall())
    frame = con.execute(_ROWS, asked).df()
    total = sum(counts.values())
    if repeated := counts.pop("", 0) - len(frame):
        counts["another outcome of the same call counts"] = repeated
    return Sample(frame, total, f"outcomes called {design.outcome}", counts)


def _retained_sample(con: duckdb.DuckDBPyConnection, design: Design) -> Sample:
    con.execute(_FATES)
    con.execute(_AT_RISK)
    asked = _asked(design) | {"after_days": design.after_days}
    horizon = asked | {"within_days": design.within_days}
    counts = dict(con.execute(_RETAINED_FLOW, horizon).fetchall())
    total = sum(counts.values())
    counts.pop("", None)
    rows = con.execute(_RETAINED_ROWS, horizon).df()
    is_simulated = {"is_simulated": design.is_simulated}
    same_day = con.execute(_SAME_DAY, is_simulated).fetchone() or (0, 0)
    undated = con.execute(_UNDATED).fetchone() or (0,)
    return Sample(
        _weighted(rows),
        total,
        "calls of customers who are known to have stayed or left",
        counts,
        con.execute(_SPELLS, asked).df(),
        (int(same_day[0]), int(same_day[1])),
        int(undated[0]),
    )


def _asked(design: Design) -> dict[str, Any]:
    return {
        "is_simulated": design.is_simulated,
        "since": design.since,
        "until": design.until,
        "excluded": list(design.excluded_reasons),
    }


def _weighted(rows: Any) -> Any:
    """Return the rows whose outcome is known, weighed for those that were followed too short.

    `weight` is 1 / G(t-), G the Kaplan-Meier estimate of still being followed (Robins & Finkelstein
    2000): being lost sight of is taken to have nothing to do with staying. There is no such column
    where nobody was lost.
    """
    lost = rows["outcome"].isna()
    known = rows[~lost]
    if not lost.any() or known.empty:
        return known
    require_libraries()
    from lifelines import KaplanMeierFitter

    followed = KaplanMeierFitter().fit(rows["days_after"], lost)
    just_before = known["days_after"].to_numpy(float) - 1e-6
    chance = followed.survival_function_at_times(just_before).to_numpy(float)
    return known.assign(weight=1.0 / chance.clip(_LEAST_CHANCE))


def read_calls(warehouse: Path, design: Design) -> Any:
    """Return every analyzed call of the design's kind and time, with its measures, as a frame.

    Raises QueryError for a measure that is not there, naming those that are like it.
    """
    with open_for_reading(warehouse) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(_CALLS.format(measures=_measures(con, design.measures)))
        return con.execute(
            f"FROM study_calls WHERE {_OF_DESIGN} ORDER BY started_at, call_id", _asked(design)
        ).df()


def count_calls(warehouse: Path, design: Design) -> int:
    """Return how many analyzed calls of the design's kind and time there are."""
    with _reading(warehouse) as con:
        counted = con.execute(
            "SELECT count(*) FROM calls WHERE status = 'analyzed' AND is_simulated = $is_simulated "
            "AND coalesce(started_at >= $since, true) AND coalesce(started_at < $until, true)",
            {
                "is_simulated": design.is_simulated,
                "since": design.since,
                "until": design.until,
            },
        ).fetchone()
    return int(counted[0]) if counted else 0


def read_recognised(warehouse: Path, design: Design) -> Recognised:
    """Return the answered rates, with their cues, of the design's calls that have one agent."""
    with _reading(warehouse) as con:
        asked = _asked(design)
        found = con.execute(
            "SELECT answered_rate AS rate, answerable::DOUBLE AS cues, agent_id FROM call_summary "
            f"WHERE answerable > 0 AND agent_id IS NOT NULL AND agents = 1 AND {_OF_DESIGN}",
            asked,
        ).fetchnumpy()
        ledgers = con.execute(
            f"SELECT count(*) FROM call_summary WHERE opportunities IS NOT NULL AND {_OF_DESIGN}",
            asked,
        ).fetchone()
    agents = np.unique(found["agent_id"].astype(str), return_inverse=True)[1].astype(np.int64)
    rate, cues = (np.asarray(found[name], dtype=np.float64) for name in ("rate", "cues"))
    if design.effects is not Effects.FIXED:
        agents = np.zeros_like(agents)
    return Recognised(rate, cues, agents, int(ledgers[0]) if ledgers else 0)


@contextmanager
def _reading(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_for_reading(warehouse) as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'outcome_calls'")
        if not found.fetchone():
            raise WarehouseError(
                f"{warehouse}: of an earlier warmline; `warmline outcomes load` renews it"
            )
        yield con


def require_libraries() -> None:
    """Raise SettingsError, naming the extra to install, where a library is not there."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(f"this needs {', '.join(missing)}: pip install 'warmline[research]'")


def _require_outcome(con: duckdb.DuckDBPyConnection, name: str) -> None:
    rows = con.execute("SELECT DISTINCT name FROM outcomes ORDER BY name").fetchall()
    known = [row[0] for row in rows]
    if not known:
        raise QueryError("no outcomes are loaded; `warmline outcomes load FILE.csv` does it")
    if name not in known:
        raise QueryError(f"no outcome is named {name!r}; there are {', '.join(known)}")


def _require_controls(controls: tuple[str, ...]) -> None:
    for control in controls:
        if control not in CONTROL_COLUMNS:
            raise QueryError(f"no control is named {control!r}; there are {_all(CONTROL_COLUMNS)}")


def _measures(con: duckdb.DuckDBPyConnection, measures: tuple[str, ...]) -> str:
    """Return the measures as columns of a SELECT; only names that are there get into the SQL.

    Measures of which near 0 is good, on either side, lose their sign.
    """
    columns = {
        row[0] for row in con.execute("SELECT column_name FROM (DESCRIBE call_measures)").fetchall()
    } - {"call_id"}
    names = {row[0] for row in con.execute("SELECT name FROM metric_definitions").fetchall()}
    parts = []
    for measure in dict.fromkeys(measures):
        value = f'call_measures."{measure}"' if measure in columns else None
        if value is None and measure in names:
            value = _LONG_MEASURE.format(name=measure)
        if value is None and measure in MEASURES:
            value = "NULL::DOUBLE"  # asked for by default: no call here has it, and that is said
        if value is not None:
            value = f"abs({value})" if measure.startswith(NEAR_ZERO_IS_GOOD) else value
            parts.append(f',\n    {value} AS "{measure}"')
        else:
            raise _unknown(measure, columns | names)
    return "".join(parts)


def require_measures(measures: Iterable[str], names: Set[str]) -> None:
    """Raise QueryError for a measure that no warehouse of this version has.

    `names` are those of all definitions; besides them there are the columns of `call_measures`.
    """
    (table,) = (file for file in sql_files("tables") if file.name == "call_measures")
    columns = set(re.findall(r"^    (\w+) DOUBLE,?$", table.definition, re.MULTILINE))
    for measure in measures:
        if measure not in columns | names | {*MEASURES}:
            raise _unknown(measure, columns | names)


def _unknown(measure: str, known: Set[str]) -> QueryError:
    close = difflib.get_close_matches(measure, sorted(known), n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    return QueryError(f"no measure is named {measure!r}{hint} (docs/metrics.md has all)")


def require_own_kind(sample: Sample, design: Design) -> None:
    """Raise QueryError where all that could be asked about is of the other kind of calls."""
    own, other = ("simulated", "real") if design.is_simulated else ("real", "simulated")
    left = sum(count for why, count in sample.flow.items() if why.endswith(f"{other} calls"))
    unmatched = ("no ", "only ", "more than ")
    rest = [why for why in sample.flow if not why.endswith(f"{other} calls")]
    if left and sample.frame.empty and all(why.startswith(unmatched) for why in rest):
        advice = "leave out --simulated" if design.is_simulated else "give --simulated"
        raise QueryError(
            f"{sample.unit}: none of {own} calls, {left} of {other} ones; {advice} to ask of those"
        )


def _all(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))


# Calls without an outcome: how they differ from those with one, and what that could change.


_LEAST_CALLS = 30
_DRAWS = 300
#: Means that lie further apart, in standard deviations, are worth a word (Stuart 2010).
APART = 0.25


@dataclass(frozen=True)
class Attrition:
    """One number of calls with and without the outcome; `apart` is their distance in SD."""

    what: str
    with_outcome: float
    without: float
    apart: float


@dataclass(frozen=True)
class Bounds:
    """Calls with more of a measure against those with less: the difference of their outcomes.

    Split at the median of all calls. `followed_more` and `followed_less` are the shares of either
    that have the outcome; `difference` is of those that do, `low` to `high` is what it could be if
    both were followed alike, chance not counted; with it (agents drawn anew) it is `surely_low` to
    `surely_high`. Agents and controls are not held equal here.
    """

    measure: str
    calls: int
    followed_more: float
    followed_less: float
    difference: float
    low: float
    high: float
    surely_low: float
    surely_high: float


def attrition(calls: Any, with_outcome: Any, controls: Sequence[str]) -> tuple[Attrition, ...]:
    """Return how calls in the models differ from the others, by each number that is controlled for.

    `calls` is a pandas frame of one row a call; `with_outcome` (n,) says which are in the models.
    """
    found = []
    for column in (c for name in controls for c in CONTROL_COLUMNS[name] if c not in WORDS):
        values = calls[column].to_numpy(float)
        known = np.isfinite(values)
        ours, others = values[known & with_outcome], values[known & ~with_outcome]
        spread = float(values[known].std()) if known.any() else 0.0
        if min(len(ours), len(others)) < _LEAST_CALLS or spread == 0:
            continue
        apart = float(ours.mean() - others.mean()) / spread
        found.append(Attrition(column, float(ours.mean()), float(others.mean()), apart))
    return tuple(found)


def inverse_chances(calls: Any, with_outcome: Any, controls: Sequence[str]) -> Any | None:
    """Return, by call_id, how many calls each call with an outcome stands for.

    The inverse of the chance that a call like it has the outcome, by a logit of what is controlled
    for (Horvitz & Thompson 1952; Seaman & White 2013), at most twenty. None where hardly a call, or
    hardly one of the others, has it, or nothing is known of them. Calls that lack a control stand
    for themselves alone.
    """
    import statsmodels.api as sm

    known = usable(calls, tuple(controls))
    complete = calls[list(known.columns)].notna().all(axis=1).to_numpy()
    counts = [int((complete & side).sum()) for side in (with_outcome, ~with_outcome)]
    if min(counts) < _LEAST_CALLS or not known.columns:
        return None
    x, _ = design_matrix(calls[complete], known.columns)
    has_it = with_outcome[complete].astype(float)
    model: Any = sm.GLM(has_it, sm.add_constant(x), sm.families.Binomial()).fit_regularized(
        alpha=1e-4, L1_wt=0.0
    )
    chance = np.asarray(model.predict(sm.add_constant(x)), dtype=np.float64)
    weights = calls["call_id"].to_frame().assign(weight=1.0)
    weights.loc[complete, "weight"] = 1.0 / chance.clip(_LEAST_CHANCE)
    return weights[with_outcome].set_index("call_id")["weight"]


def lee_bounds(measure: str, values: Array, outcome: Array, agents: Any) -> Bounds | None:
    """Return the bounds for one measure (Lee 2009); None where a side has too few calls.

    `values` (n,) of all calls, NaN where unknown, `outcome` (n,) NaN where it is missing; `agents`
    (n,) took them.
    """
    known = np.isfinite(values)
    values, outcome = values[known], outcome[known]
    if len(values) < 2 * _LEAST_CALLS or np.ptp(values) == 0:
        return None
    middle = float(np.median(values))
    more = values > middle if (values > middle).any() else values >= middle
    followed = np.isfinite(outcome)
    if min((more & followed).sum(), (~more & followed).sum()) < _LEAST_CALLS:
        return None
    low, high = _lee_ends(more, outcome)

    def end(rows: Any, place: int) -> float:
        return _lee_ends(more[rows], outcome[rows])[place]

    took = agents[known].tolist()
    drawn = [bootstrap(partial(end, place=i), took, seed=1, rounds=_DRAWS) for i in (0, 1)]
    lowest, highest = drawn[0], drawn[1]
    return Bounds(
        measure=measure,
        calls=len(values),
        followed_more=float(followed[more].mean()),
        followed_less=float(followed[~more].mean()),
        difference=float(outcome[more & followed].mean() - outcome[~more & followed].mean()),
        low=low,
        high=high,
        surely_low=low if lowest is None or lowest.low is None else lowest.low,
        surely_high=high if highest is None or highest.high is None else highest.high,
    )


def _lee_ends(more: Any, outcome: Array) -> tuple[float, float]:
    """Return the least and greatest difference of the sides, were both followed alike.

    The side that is followed more is cut, from above or below, by what it has too many.
    """
    followed = np.isfinite(outcome)
    sides = [np.sort(outcome[side & followed]) for side in (more, ~more)]
    if not all(map(len, sides)):
        return nan, nan
    shares = [float(followed[side].mean()) for side in (more, ~more)]
    fuller = int(shares[1] > shares[0])
    other = 1 - fuller
    excess = (shares[fuller] - shares[other]) / shares[fuller]
    count = min(round(excess * len(sides[fuller])), len(sides[fuller]) - 1)
    lowest = sides[fuller][: len(sides[fuller]) - count].mean()
    highest = sides[fuller][count:].mean()
    low, high = (float(end - sides[other].mean()) for end in (lowest, highest))
    return (low, high) if fuller == 0 else (-high, -low)
