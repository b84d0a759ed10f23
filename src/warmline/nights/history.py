"""Reads a night, and the days before it, from the warehouse."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from warmline.database import open_for_reading
from warmline.nights.drift import WATCHED, Day, Drift, compare
from warmline.nights.report import (
    FailedCall,
    NightReport,
    RunFacts,
    SlowCall,
    shares_too_large,
)
from warmline.settings import NightSettings

_FAILED_SHOWN = 50
_SLOWEST_SHOWN = 10
_WITHIN = "analyzed_at >= $since AND analyzed_at < $until"
_COLUMNS = ", ".join(watched.column for watched in WATCHED)

_COUNTS = f"""
SELECT status, coalesce(reason_code, ''), count(*), coalesce(sum(duration_s), 0),
    coalesce(sum(listening_s) FILTER (status = 'analyzed'), 0),
    count(*) FILTER (status = 'failed' AND failed_runs >= $give_up_after
        AND $give_up_after > 0 AND reason_code <> 'io_error')
FROM calls WHERE {_WITHIN} GROUP BY status, reason_code
ORDER BY count(*) DESC, status, reason_code
"""
_OF_DAY = f"SELECT count(*) FROM calls WHERE {_WITHIN}"
_FAILED = f"""
SELECT call_id, coalesce(reason_code, ''), coalesce(reason, ''),
    failed_runs >= $give_up_after AND $give_up_after > 0 AND reason_code <> 'io_error'
FROM calls WHERE {_WITHIN} AND status = 'failed' ORDER BY reason_code, call_id LIMIT {_FAILED_SHOWN}
"""
_SLOWEST = f"""
SELECT call_id, listening_s, duration_s FROM calls
WHERE {_WITHIN} AND listening_s > 0 ORDER BY listening_s DESC, call_id LIMIT {_SLOWEST_SHOWN}
"""
_TONIGHT = f"""
SELECT measure, $night, avg(value), coalesce(stddev_samp(value), 0), count(*)
FROM (UNPIVOT (SELECT {_COLUMNS} FROM watched_calls WHERE {_WITHIN} AND NOT is_simulated)
    ON {_COLUMNS} INTO NAME measure VALUE value)
GROUP BY measure
"""
_DAYS = f"""
SELECT measure, day, avg(value), coalesce(stddev_samp(value), 0), count(*)
FROM (UNPIVOT (
    SELECT day, {_COLUMNS} FROM watched_calls
    WHERE analyzed_at < $since AND day >= $first AND day < $night AND NOT is_simulated)
    ON {_COLUMNS} INTO NAME measure VALUE value)
GROUP BY measure, day ORDER BY day
"""
# The day before the night is the one whose calls are waited for.
_PER_DAY = """
SELECT count(*) FROM watched_calls
WHERE analyzed_at < $since AND day >= $first AND day < $night - 1 AND NOT is_simulated GROUP BY day
"""
_UNREADABLE = "SELECT count(*) FROM failures WHERE status = 'unreadable'"


def last_night(warehouse: Path) -> date | None:
    """The last day (UTC) on which calls were analyzed; None when there are no calls.

    Raises `WarehouseError` as `read_night` does.
    """
    with open_for_reading(warehouse) as con:
        last = con.execute("SELECT max(analyzed_at)::DATE FROM calls").fetchall()[0][0]
        return last if isinstance(last, date) else None


def read_night(
    warehouse: Path,
    night: date,
    settings: NightSettings,
    *,
    until: datetime | None = None,
    run: RunFacts | None = None,
    runs: tuple[RunFacts, ...] = (),
) -> NightReport:
    """What was analyzed on a day (UTC), beside the `night.drift_days` days before it.

    With `run`, only what was analyzed since that run began. A run that goes on past midnight
    belongs to the day on which it began: `until` is its end. `runs` are all of the day. Raises
    `WarehouseError` when there is no warehouse that can be read.
    """
    since = datetime.combine(night, time())
    end = since + timedelta(days=1)
    if until is not None:
        end = max(end, _naive(until))
    when = {"since": since, "until": end}
    if run and run.started_at:
        when = {"since": _naive(run.started_at), "until": _naive(until) if until else end}
    before = {
        "since": since,
        "first": night - timedelta(days=settings.drift_days),
        "night": night,
    }
    limit = {"give_up_after": settings.give_up_after}
    with open_for_reading(warehouse) as con:
        counts = con.execute(_COUNTS, when | limit).fetchall()
        per_day = [n for (n,) in con.execute(_PER_DAY, before).fetchall()]
        of_day = con.execute(_OF_DAY, {"since": since, "until": end}).fetchall()[0][0]
        by_status = _summed((status, n) for status, _, n, *_ in counts)
        return NightReport(
            night=night,
            by_status=by_status,
            by_reason={(status, code): n for status, code, n, *_ in counts if code},
            audio_s=sum(row[3] for row in counts if row[0] == "analyzed"),
            computing_s=sum(row[4] for row in counts),
            failed=tuple(FailedCall(*row) for row in con.execute(_FAILED, when | limit).fetchall()),
            given_up=sum(row[5] for row in counts),
            slowest=tuple(SlowCall(*row) for row in con.execute(_SLOWEST, when).fetchall()),
            unreadable=con.execute(_UNREADABLE).fetchall()[0][0],
            drifts=_drifts(con, when | {"night": night}, before, settings),
            usual_calls=median(per_day) if len(per_day) >= settings.drift_min_days else None,
            idle_days=settings.drift_days - 1 - len(per_day),
            run=run,
            calls_of_day=of_day,
            shares=shares_too_large(by_status, settings),
            runs=runs,
        )


def _naive(at: datetime) -> datetime:
    """As the warehouse keeps times: UTC, without saying so."""
    return at.astimezone(UTC).replace(tzinfo=None)


def _drifts(
    con: duckdb.DuckDBPyConnection,
    when: dict[str, Any],
    before: dict[str, Any],
    settings: NightSettings,
) -> tuple[Drift, ...]:
    tonight = {name: Day(*rest) for name, *rest in con.execute(_TONIGHT, when).fetchall()}
    days: defaultdict[str, list[Day]] = defaultdict(list)
    for name, *rest in con.execute(_DAYS, before).fetchall():
        days[name].append(Day(*rest))
    return tuple(
        compare(watched, tonight.get(watched.column), days[watched.column], settings)
        for watched in WATCHED
    )


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for name, count in pairs:
        found[name] += count
    return dict(found)
