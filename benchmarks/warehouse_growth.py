"""How the warehouse grows: loading, a night's increment, every named query, and search.

`python warehouse_growth.py FOLDER --calls 100000 300000 --minutes 20 --to RESULTS-warehouse.md`

A day of calls (`landing_zone.py`) is loaded the way every night loads it, from its landing files.
Further days are that day again under other names, dates and customers, copied inside the warehouse:
what is measured afterwards cannot tell them from loaded ones, and a million calls fit into an hour.
Their landing files are empty and never read, since the warehouse has noted them already. At each
size all named queries and searches are timed, then one more day lands and is published. When the
minutes are over, the sizes that were not reached are left out, and the results say so.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from accounting import Cost, machine, measured
from landing_zone import write_zone

from warmline.landing import places
from warmline.questions import ask_named, named_queries
from warmline.search import Match, Scope, search
from warmline.warehouse.sql import sql_files

#: What the named queries that need a parameter are asked with.
GIVEN = {"phrase": {"text": "account number"}, "answered_rate_before_after": {"day": "2026-01-08"}}
SEARCHES: dict[str, dict[str, Any]] = {
    "lost card": {},
    "third time": {"match": Match.EXACT},
    "thank you for calling": {"match": Match.EXACT},
    "thank": {},
    "worried about my account": {"match": Match.ANY},
    "refund": {"scope": Scope("customer", date(2026, 1, 1), date(2026, 1, 7))},
}
PUBLISH = """
import json, sys, time
from pathlib import Path
from warmline.pipeline import all_measures
from warmline.warehouse import publishing

seconds = {}
def timed(name):
    inner = getattr(publishing, name)
    def outer(*args, **kwargs):
        started = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            seconds[name.strip("_")] = time.perf_counter() - started
    setattr(publishing, name, outer)
for name in ("note_files", "load", "index_turns", "_require_passing"):
    timed(name)
for name in ("_copy", "_swap"):
    inner = getattr(publishing._Job, name)
    def outer(self, inner=inner, name=name):
        started = time.perf_counter()
        inner(self)
        seconds[name.strip("_")] = time.perf_counter() - started
    setattr(publishing._Job, name, outer)
report = publishing.publish(Path(sys.argv[1]), Path(sys.argv[2]), all_measures())
print(json.dumps({"loaded": report.loaded, "seconds": seconds}))
"""
_NUMBER = "(substr(call_id, 6)::BIGINT + {shift})"
_CALL_ID = f"'call-' || lpad({_NUMBER}::VARCHAR, 9, '0') AS call_id"
_NEW_CALLS = f"""
REPLACE (
    {_CALL_ID},
    'call-' || lpad({_NUMBER}::VARCHAR, 9, '0') AS claimed_call_id,
    '/calls/' || {_NUMBER} || '.wav' AS path,
    started_at + to_days({{days}}) AS started_at,
    analyzed_at + to_days({{days}}) AS analyzed_at,
    modified_at + to_days({{days}}) AS modified_at,
    'c-' || (hash({_NUMBER}) % 300000) AS customer_id,
    sha256(audio_sha256 || {{days}}) AS audio_sha256,
    'analyses/' || sha256(audio_sha256 || {{days}}) AS landing_key,
    sha256(content_sha256 || {{days}}) AS content_sha256)
"""


@dataclass(frozen=True)
class Night:
    """What publishing one more day took, on top of so many calls."""

    calls_before: int
    loaded: int
    cost: Cost
    seconds: dict[str, float]


@dataclass(frozen=True)
class Size:
    """What was measured at one size; times in seconds, wall and CPU, the better of two."""

    calls: int
    turns: int
    words: int
    megabytes: float
    queries: dict[str, tuple[float, float]]
    searches: dict[str, tuple[float, float]]


class Growing:
    """A landing folder and a warehouse that grow together."""

    def __init__(self, folder: Path, per_day: int) -> None:
        self.landing = folder / "landing"
        self.warehouse = folder / "w.duckdb"
        self.per_day = per_day
        self.days = 0
        self._log = folder / "publish.log"

    def another_night(self) -> Night:
        """Land a day and publish it in a process of its own."""
        before = self.days * self.per_day
        write_zone(self.landing, self.per_day, first=before, per_day=self.per_day)
        command = [sys.executable, "-c", PUBLISH, str(self.landing), str(self.warehouse)]
        cost = measured(command, self._log)
        told = json.loads(self._log.read_text().splitlines()[-1])
        self.days += 1
        return Night(before, told["loaded"], cost, told["seconds"])

    def grow_by_copies(self, calls: int, deadline: float) -> bool:
        """Copy the first day until there are so many calls; False when time is over before."""
        with duckdb.connect(str(self.warehouse)) as con:
            con.execute("SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
            while self.days * self.per_day < calls and time.monotonic() < deadline:
                self._copy_a_day(con)
            con.execute("CHECKPOINT")
        return self.days * self.per_day >= calls

    def _copy_a_day(self, con: duckdb.DuckDBPyConnection) -> None:
        given = {"shift": self.days * self.per_day, "days": self.days}
        first = f"WHERE call_id < 'call-{self.per_day:09d}'"
        con.begin()
        for table in (file.name for file in sql_files("load") if file.name != "staged"):
            new = _NEW_CALLS if table == "calls" else f"REPLACE ({_CALL_ID})"
            con.execute(f"INSERT INTO {table} SELECT * {new.format(**given)} FROM {table} {first}")
        con.execute(
            "INSERT INTO search.postings SELECT * REPLACE (call_no + $shift AS call_no) "
            "FROM search.postings WHERE call_no <= $per_day ORDER BY term_id, call_no, turn_index",
            {"shift": given["shift"], "per_day": self.per_day},
        )
        con.execute(
            "INSERT INTO search.calls SELECT * REPLACE (call_no + $shift AS call_no, "
            f"{_CALL_ID.format(**given)}, sha256(content_sha256 || $days) AS content_sha256) "
            "FROM search.calls WHERE call_no <= $per_day",
            {"shift": given["shift"], "days": self.days, "per_day": self.per_day},
        )
        name = f"packs/copied/{self.days:06d}.parquet"
        stamp = self._placeholder(name)
        con.execute("INSERT INTO landing.files VALUES ($f, $s, NULL)", {"f": name, "s": stamp})
        con.execute(
            "INSERT INTO landing.entries BY NAME SELECT $f AS file, landing_key, content_sha256, "
            "analyzed_at AT TIME ZONE 'UTC' AS analyzed_at, modified_at AT TIME ZONE 'UTC' AS "
            "modified_at, path, call_id FROM calls WHERE call_id BETWEEN $low AND $high",
            {
                "f": name,
                "low": f"call-{given['shift']:09d}",
                "high": f"call-{given['shift'] + self.per_day - 1:09d}",
            },
        )
        con.commit()
        self.days += 1

    def _placeholder(self, name: str) -> str:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return next(f.stamp for f in places.files(self.landing) if f.name == name)

    def size(self) -> Size:
        """Time every named query and search at this size."""
        with duckdb.connect(str(self.warehouse), read_only=True) as con:
            counted = con.execute(
                "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM turns), "
                "(SELECT count(*) FROM words)"
            ).fetchall()[0]
        queries = {
            name: _best(lambda name=name: ask_named(self.warehouse, name, GIVEN.get(name)))
            for name in named_queries()
        }
        searches = {
            f"{phrase} ({', '.join(map(str, given.values())) or 'all words'})"
            if "scope" not in given
            else f"{phrase} (customers, one week)": _best(
                lambda phrase=phrase, given=given: search(self.warehouse, phrase, **given)
            )
            for phrase, given in SEARCHES.items()
        }
        return Size(*counted, self.warehouse.stat().st_size / 1e6, queries, searches)


def _best(ask: Any, tries: int = 2) -> tuple[float, float]:
    times = []
    for _ in range(tries):
        started, computed = time.perf_counter(), time.process_time()
        ask()
        times.append((time.perf_counter() - started, time.process_time() - computed))
    return min(times)


def report(first: Night, measurements: Sequence[tuple[Size, Night | None]], load: str) -> str:
    """The results as Markdown."""
    return "\n".join([*_head(first, load), *_nights(measurements), *_answers(measurements)]) + "\n"


def _head(first: Night, load: str) -> Iterator[str]:
    yield "# How the warehouse grows\n"
    yield (
        "Written by `python benchmarks/warehouse_growth.py`; do not edit. "
        f"{date.today():%Y-%m-%d}, {machine()}; DuckDB {duckdb.__version__}; "
        f"load average {load}.\n"
    )
    yield (
        f"A first day of {first.loaded:,} calls from landing packs: {first.cost.wall_s:.0f} s "
        f"({first.loaded / first.cost.wall_s:.0f} calls/s; {first.cost.cpu_s:.0f} s of CPU time, "
        f"{first.cost.peak_mb:,.0f} MB at the peak). Further days are copies of that day made "
        "inside the warehouse (see `warehouse_growth.py`); each size then gets one more day from "
        "landing packs.\n"
    )


def _nights(measurements: Sequence[tuple[Size, Night | None]]) -> Iterator[str]:
    yield "## A night\n"
    steps = ("copy", "note_files", "load", "index_turns", "require_passing", "swap")
    heads = " | ".join(step.replace("_", " ") for step in steps)
    yield (
        "Calls before it, what it adds, and the seconds from the landing folder to the swapped "
        "warehouse.\n"
    )
    yield f"| calls | turns | words | file, GB | added | night, s | CPU, s | peak, GB | {heads} |"
    yield "|--:" * (8 + len(steps)) + "|"
    for size, night in measurements:
        row = [
            f"{size.calls:,}",
            f"{size.turns:,}",
            f"{size.words:,}",
            f"{size.megabytes / 1e3:.2f}",
        ]
        if night:
            row += [
                f"{night.loaded:,}",
                f"{night.cost.wall_s:.0f}",
                f"{night.cost.cpu_s:.0f}",
                f"{night.cost.peak_mb / 1e3:.1f}",
                *(f"{night.seconds.get(step, 0):.1f}" for step in steps),
            ]
        yield "| " + " | ".join(row) + " |"
    yield ""


def _answers(measurements: Sequence[tuple[Size, Night | None]]) -> Iterator[str]:
    sizes = [size for size, _ in measurements]
    heads = " | ".join(f"{size.calls:,} calls" for size in sizes)
    for title, times_of in (("Named queries", "queries"), ("Search", "searches")):
        yield f"## {title}\n"
        yield (
            "Seconds from the question to the answer, opening the warehouse included, and of CPU "
            "time: on a busy machine the first is longer, on an idle one shorter than the second.\n"
        )
        yield f"| {title.lower()} | {heads} |"
        yield "|---" + "|--:" * len(sizes) + "|"
        for name in getattr(sizes[0], times_of):
            times = " | ".join(
                f"{wall:.2f} ({cpu:.2f})"
                for wall, cpu in (getattr(size, times_of)[name] for size in sizes)
            )
            yield f"| {name} | {times} |"
        yield ""


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to work; needs 40 KB a call")
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--per-day", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "RESULTS-warehouse.md")
    given = parser.parse_args()
    deadline = time.monotonic() + 60 * given.minutes
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    growing = Growing(given.folder, given.per_day)
    first = growing.another_night()
    measurements: list[tuple[Size, Night | None]] = []
    for calls in given.calls:
        reached = growing.grow_by_copies(calls, deadline)
        size = growing.size()
        measurements.append((size, growing.another_night()))
        load = "/".join(f"{x:.1f}" for x in os.getloadavg())
        given.to.write_text(report(first, measurements, load), encoding="utf-8")
        sys.stdout.write(json.dumps(asdict(size)) + "\n")
        if not reached:
            break


if __name__ == "__main__":
    main()
