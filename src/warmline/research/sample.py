"""The rows of a study, read from a published warehouse, and what became of those left out."""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warmline.database import open_for_reading
from warmline.errors import QueryError, WarehouseError
from warmline.research.design import Design
from warmline.research.terms import CONTROL_COLUMNS

#: What a study knows of a call; measures that have no column are looked up in `metrics`.
_CALLS = """
CREATE TEMP VIEW study_calls AS
SELECT
    calls.call_id, calls.customer_id, calls.started_at, calls.agent_id, calls.is_simulated,
    calls.queue, calls.team, calls.direction, calls.language, calls.contact_reason,
    strftime(calls.started_at, '%Y-%m') AS month,
    ln(nullif(calls.duration_s, 0)) AS log_duration,
    opening.* EXCLUDE (call_id, call_no){measures}
FROM calls
LEFT JOIN call_measures ON call_measures.call_id = calls.call_id
LEFT JOIN customer_opening AS opening ON opening.call_no = calls.call_no
WHERE calls.status = 'analyzed'
"""
_LONG_MEASURE = """(
        SELECT max(value) FROM metrics
        WHERE metrics.call_id = calls.call_id AND metrics.name = '{name}'
            AND (metrics.party IS NULL OR metrics.party = calls.agent_party))"""

_FLOW = """
SELECT
    CASE
        WHEN call_id IS NULL THEN unmatched_reason
        WHEN value IS NULL THEN 'given in words, not as a number'
        WHEN is_simulated <> $is_simulated
            THEN CASE WHEN is_simulated THEN 'of simulated calls' ELSE 'of real calls' END
        WHEN days_after > $within_days THEN 'too long after the call'
        WHEN NOT coalesce(started_at >= $since, true) OR NOT coalesce(started_at < $until, true)
            THEN 'of calls at another time'
        ELSE ''
    END AS why,
    count(*)
FROM outcome_calls
WHERE name = $outcome
GROUP BY ALL
ORDER BY ALL
"""
_ROWS = """
SELECT o.value AS outcome, o.days_after, study_calls.*
FROM outcomes_within($outcome, $within_days) AS o
INNER JOIN study_calls ON study_calls.call_id = o.call_id
WHERE o.is_simulated = $is_simulated
    AND coalesce(o.started_at >= $since, true) AND coalesce(o.started_at < $until, true)
ORDER BY study_calls.started_at, study_calls.call_id
"""

#: A call is followed until the customer's next one, the day the customer left, or the last day on
#: which the customer was known to be there: gap times, Prentice, Williams & Peterson 1981.
_SPELLS = """
WITH fates AS (
    SELECT customer_id, min(at_latest) FILTER (value = 0) AS left_at, max(at_latest) AS seen_at
    FROM outcome_calls
    WHERE name = 'retained' AND customer_id IS NOT NULL AND at_latest IS NOT NULL
    GROUP BY customer_id
),
followed AS (
    SELECT
        call_id, started_at, coalesce(left_at, seen_at) AS last_at, left_at,
        lead(started_at) OVER (PARTITION BY customer_id ORDER BY started_at, call_id) AS next_at
    FROM study_calls INNER JOIN fates USING (customer_id)
    WHERE is_simulated = $is_simulated
)
SELECT
    greatest(date_diff('second', started_at, least(last_at, next_at)) / 86400, 1 / 24) AS days,
    (left_at IS NOT NULL AND NOT coalesce(next_at <= left_at, false))::DOUBLE AS outcome,
    study_calls.*
FROM followed INNER JOIN study_calls USING (call_id, started_at)
WHERE started_at <= last_at
    AND coalesce(started_at >= $since, true) AND coalesce(started_at < $until, true)
ORDER BY started_at, call_id
"""


@dataclass(frozen=True)
class Sample:
    """The rows of a study as a pandas frame, one a call with an outcome.

    `flow` says for all outcomes of this name why they were left out (reason -> how many).
    `spells` are the rows of the survival model: `days` followed, and `outcome` 1 when the customer
    left at their end; None for an outcome that is no retention.
    """

    frame: Any
    outcomes: int
    flow: dict[str, int]
    spells: Any | None = None


def read_sample(warehouse: Path, design: Design) -> Sample:
    """The rows that a design asks for.

    Raises QueryError for an outcome, measure or control that is not there, naming those that are;
    WarehouseError when there is no warehouse, or one of before there were outcomes.
    """
    asked = {
        "outcome": design.outcome,
        "is_simulated": design.is_simulated,
        "within_days": design.within_days,
    }
    dates = {"since": design.since, "until": design.until}
    with _reading(warehouse) as con:
        _require_outcome(con, design.outcome)
        _require_controls(design.controls)
        con.execute(_CALLS.format(measures=_measures(con, design.measures)))
        counts = dict(con.execute(_FLOW, asked | dates).fetchall())
        frame = con.execute(_ROWS, asked | dates).df()
        spells = None
        if design.outcome == "retained":
            given = {"is_simulated": design.is_simulated} | dates
            spells = con.execute(_SPELLS, given).df()
    total = sum(counts.values())
    if repeated := counts.pop("", 0) - len(frame):
        counts["another outcome of the same call counts"] = repeated
    return Sample(frame, total, counts, spells)


def count_calls(warehouse: Path, design: Design) -> int:
    """How many analyzed calls of the design's kind and time there are, with an outcome or not."""
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
    """The measures as columns of a SELECT; only names that are there get into the SQL."""
    columns = {
        row[0] for row in con.execute("SELECT column_name FROM (DESCRIBE call_measures)").fetchall()
    } - {"call_id"}
    names = {row[0] for row in con.execute("SELECT name FROM metric_definitions").fetchall()}
    parts = []
    for measure in dict.fromkeys(measures):
        if measure in columns:
            parts.append(f',\n    call_measures."{measure}"')
        elif measure in names:
            parts.append(f',\n    {_LONG_MEASURE.format(name=measure)} AS "{measure}"')
        else:
            close = difflib.get_close_matches(measure, sorted(columns | names), n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise QueryError(f"no measure is named {measure!r}{hint} (docs/metrics.md has all)")
    return "".join(parts)


def _all(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))
