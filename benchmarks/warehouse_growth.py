"""How the warehouse grows: loading, a night's increment, every named query, and search.

`python warehouse_growth.py FOLDER --calls 1000000 --to RESULTS-warehouse.md`

A day of calls (`landing_zone.py`) is loaded the way every night loads it, from its landing files.
Further days are that day again, multiplied inside the warehouse (`multiplying.py`). At the size
asked for all named queries and searches are timed, then one more day lands and is published. What
was done is noted in the folder, and another run goes on from there: after a change to a query, only
the questions are asked again.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from accounting import Cost, machine, measured
from landing_zone import write_zone
from multiplying import UNREAD, multiply

from warmline.landing.feedback import OutcomeLine, outcome_files, write_outcomes
from warmline.query.questions import ask_named, named_queries
from warmline.query.search import Match, Scope, search

#: One for each customer, as many customers as `multiplying` makes.
OUTCOMES = 300_000
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
from warmline.pipeline.stages import all_measures
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
    seconds[name.strip("_")] = 0.0
    setattr(publishing, name, outer)
for name in ("copy_beside", "note_files", "load", "note_outcomes", "index_turns", "summarize",
             "_require_passing", "swap"):
    timed(name)
report = publishing.publish(Path(sys.argv[1]), Path(sys.argv[2]), all_measures())
print(json.dumps({"loaded": report.loaded, "seconds": seconds}))
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

    def grow_by_copies(self, calls: int) -> None:
        """Copy the first day until there are so many calls; nothing where there are already."""
        multiply(self.landing, self.warehouse, calls, self.per_day)
        if not outcome_files(self.landing):
            write_outcomes(
                _outcomes(calls // self.per_day),
                self.landing,
                source="outcomes.csv",
                loaded_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        self.days = max(self.days, calls // self.per_day)

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


def _outcomes(days: int) -> list[OutcomeLine]:
    """Every customer, and whether they were still there on a day within the calls or soon after."""
    first = datetime(2026, 1, 2)
    return [
        OutcomeLine(
            line=customer + 2,
            name="retained",
            customer_id=f"c-{customer}",
            occurred_at=first + timedelta(days=customer * 7919 % (days + 30)),
            is_whole_day=True,
            value=float(customer % 10 > 0),
        )
        for customer in range(OUTCOMES)
    ]


def _best(ask: Any, tries: int = 2) -> tuple[float, float]:
    times = []
    for _ in range(tries):
        started, computed = time.perf_counter(), _cpu_s()
        ask()
        times.append((time.perf_counter() - started, _cpu_s() - computed))
    return min(times)


def _cpu_s() -> float:
    """CPU seconds until now, of this process and of those that it started, ended or not.

    A query is answered in a fork of another process, whose own children count as well.
    """
    return sum(os.times()[:4]) + sum(map(_of_process_s, _children()))


def _children() -> Iterator[str]:
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has ended since
            yield from (task / "children").read_text().split()


def _of_process_s(process: str) -> float:
    told = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")


def report(first: Night, size: Size, night: Night, load: str) -> str:
    """The results as Markdown."""
    return "\n".join([*_head(first, load), *_night(size, night), *_answers(size)]) + "\n"


def _head(first: Night, load: str) -> Iterator[str]:
    yield "# How the warehouse grows\n"
    yield (
        "Written by `python benchmarks/warehouse_growth.py`; do not edit. "
        f"{date.today():%Y-%m-%d}, {machine()}; DuckDB {duckdb.__version__}; "
        f"load average {load}.\n"
    )
    yield (
        f"A first day of {first.loaded:,} calls from landing packs: {first.cost.wall_s:.0f} s "
        f"({first.cost.cpu_s:.0f} s of CPU time, {first.cost.peak_mb:,.0f} MB at the peak). "
        "Further days are that day again, multiplied inside the warehouse under other names, dates "
        f"and customers, without the tables that no question reads ({', '.join(UNREAD)}): the file "
        "is that much smaller than a million loaded calls, and copying it that much quicker.\n"
    )


def _night(size: Size, night: Night) -> Iterator[str]:
    yield "## A night\n"
    yield (
        f"{night.loaded:,} calls on top of {night.calls_before:,}, from landing packs to the "
        f"swapped warehouse ({size.turns:,} turns, {size.megabytes / 1e3:.1f} GB): "
        f"{night.cost.wall_s:.0f} s wall, {night.cost.cpu_s:.0f} s of CPU time, "
        f"{night.cost.peak_mb / 1e3:.1f} GB at the peak.\n"
    )
    yield f"| {' | '.join(step.replace('_', ' ') for step in night.seconds)} |"
    yield "|--:" * len(night.seconds) + "|"
    yield f"| {' | '.join(f'{seconds:.1f} s' for seconds in night.seconds.values())} |\n"


def _answers(size: Size) -> Iterator[str]:
    answers = {**size.queries, **{f"search: {k}": v for k, v in size.searches.items()}}
    over = [name for name, (_, cpu) in answers.items() if cpu > 1]
    yield f"## Questions at {size.calls:,} calls\n"
    yield (
        "Seconds from the question to the answer, opening the warehouse included, and of CPU time: "
        "on a busy machine the first is longer, on an idle one shorter than the second. The better "
        f"of two. Over a second of CPU time: {', '.join(over) or 'none'}. {OUTCOMES:,} outcomes "
        "are in here and no reviews, so that the questions about these have nothing to read.\n"
    )
    yield "| question | wall | CPU |"
    yield "|---|--:|--:|"
    for name, (wall, cpu) in answers.items():
        yield f"| {name} | {wall:.2f} | {cpu:.2f} |"
    yield ""


def _noted_night(folder: Path, name: str, run: Callable[[], Night]) -> Night:
    """A night as it was measured, in this run or in an earlier one."""
    path = folder / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(asdict(run())), encoding="utf-8")
    noted = json.loads(path.read_text(encoding="utf-8"))
    return Night(**{**noted, "cost": Cost(**noted["cost"])})


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to work; needs 30 KB a call")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--per-day", type=int, default=20_000)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "RESULTS-warehouse.md")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    growing = Growing(given.folder, given.per_day)
    first = _noted_night(given.folder, "first", growing.another_night)
    growing.grow_by_copies(given.calls)
    night = _noted_night(given.folder, "night", growing.another_night)
    load = "/".join(f"{x:.1f}" for x in os.getloadavg())
    given.to.write_text(report(first, growing.size(), night, load), encoding="utf-8")


if __name__ == "__main__":
    main()
