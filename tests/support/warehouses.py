"""A landing folder and what is published of it, for the tests of the warehouse."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from support.factories import (
    ANALYZED_AT,
    call,
    cue,
    definitions_of,
    measured,
    moment,
)
from warmline import landing
from warmline.analysis import (
    CallAnalysis,
    FloorTransfer,
    Overlap,
    Quote,
    Silence,
    missing_metric,
    rate,
)
from warmline.landing import store
from warmline.query.process import reading
from warmline.values import Redaction, Span
from warmline.warehouse.publishing import PublishReport, publish

LATER = ANALYZED_AT + timedelta(days=1)

SAYS = [
    ("B", 0.0, 3.0, "thank you for calling how can I help"),
    ("A", 3.2, 9.0, "I am worried that my card was stolen"),
    ("B", 9.5, 14.0, "I understand how worrying that is"),
]


def rich(call_id: str = "rich", **changes: Any) -> CallAnalysis:
    """A call with something in every table."""
    cues = [
        cue(1, 3.2, 9.0, "I am worried", answer="affective", answer_turn_index=2, latency_s=0.5)
    ]
    metrics = [
        measured("talk_share", "A", 0.4, numerator=4.0, denominator=10.0),
        measured("talk_share", "B", 0.6, numerator=6.0, denominator=10.0),
        measured("interruptions", "A", 0.0, numerator=0.0),
        measured("interruptions", "B", 1.0, numerator=1.0, evidence=(Span(5.0, 6.0),)),
        measured("dead_air_s", None, 2.5),
        measured("opportunities", None, 1.0, numerator=1.0),
        rate("answered_rate", None, 1, 1, no_answer=""),
        missing_metric("opening_story_s", None, "never interrupted"),
    ]
    parts: dict[str, Any] = {
        "says": SAYS,
        "cues": cues,
        "metrics": metrics,
        "moments": [moment("affective", 2, 9.5, 14.0, "I understand how worrying that is")],
        "quotes": [Quote(3.2, 9.0, 1, "I am worried that my card was stolen", "fear_anxiety")],
        "overlaps": [Overlap(5.0, 6.0, "A", "B", "interruption", True, False)],
        "silences": [Silence(14.0, 16.5, "dead_air")],
        "transfers": [FloorTransfer(3.2, "B", "A", 0.2), FloorTransfer(9.5, "A", "B", 0.5)],
        "agent_id": "7",
        "team": "cards",
        "customer_id": "c7",
    }
    hidden = (Redaction(4.0, 5.0, "A", "card", 0),)
    return replace(call(call_id, **{**parts, **changes}), redactions=hidden)


#: What landed files hold, by their names, sizes and when they were written: to look for it in the
#: folder, and to read it, takes a fifth of a publishing.
_HELD: dict[tuple[str, int, int], list[CallAnalysis]] = {}


def _stamped(folder: Path, file: str) -> tuple[str, int, int]:
    status = (folder / file).stat()
    return file, status.st_size, status.st_mtime_ns


def _landed(folder: Path) -> list[CallAnalysis]:
    """What has landed in a folder and counts."""
    files = [_stamped(folder, file.name) for file in store.landed_files(folder)]
    if not _HELD.keys() >= set(files):
        found = defaultdict(list)
        for known in landing.known(folder):
            found[_stamped(folder, known.file)].append(landing.read_landed(folder, known))
        _HELD.update(found)
        return list(chain(*found.values()))
    by_age = sorted(chain(*(_HELD[file] for file in files)), key=lambda of: of.analyzed_at)
    return list({of.recording.path: of for of in by_age}.values())


def put(folder: Path, *analyses: CallAnalysis, allow_loss: bool = False) -> PublishReport:
    """Land these and publish all that has landed."""
    place = folder / "landing"
    landed = _landed(place)
    for analysis in analyses:
        file = landing.write(analysis, place)
        if file.exists():  # else somebody had asked to be forgotten
            _HELD[_stamped(place, str(file.relative_to(place)))] = [analysis]
    definitions = definitions_of([*landed, *analyses])
    return publish(place, folder / "w.duckdb", definitions, allow_loss=allow_loss)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query to the published warehouse."""
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def read_rows(warehouse: Path, sql: str) -> tuple[tuple[Any, ...], ...]:
    """Return what a query answers, asked in this process; one of its own takes seven times as long.

    It sees what `warmline query` sees: reviews that have landed since, and what the key opens.
    """
    with reading(warehouse) as con:
        return tuple(con.execute(sql).fetchall())


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the warehouse except how, and in which order, it came about."""
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as con:
        con.execute("SET threads = 1")  # waking a second takes longer than a table of few rows
        tables = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
        return {
            name: con.execute(
                f"SELECT COLUMNS(c -> c <> 'call_no') FROM {name} ORDER BY ALL"
            ).fetchall()
            for name in tables
            if name not in ("runs", "marts", "rescored_calls", "rescorings")
        }
