"""A landing folder and what is published of it, for the tests of the warehouse."""

from dataclasses import replace
from datetime import timedelta
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
from warmline.query.process import reading
from warmline.values import Redaction, Span
from warmline.warehouse import PublishReport, publish

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


#: What landed before, by its key, when it was written and its size: reading it takes a seventh
#: of a publishing.
_READ: dict[tuple[str, int, int], CallAnalysis] = {}


def _landed(folder: Path, known: landing.Landed) -> CallAnalysis:
    written = (folder / known.file).stat()
    of = (known.landing_key, written.st_mtime_ns, written.st_size)
    if of not in _READ:
        _READ[of] = landing.read_landed(folder, known)
    return _READ[of]


def put(folder: Path, *analyses: CallAnalysis, allow_loss: bool = False) -> PublishReport:
    """Land these and publish all that has landed."""
    before = landing.known(folder / "landing")
    landed = [_landed(folder / "landing", known) for known in before]
    for analysis in analyses:
        landing.write(analysis, folder / "landing")
    definitions = definitions_of([*landed, *analyses])
    return publish(folder / "landing", folder / "w.duckdb", definitions, allow_loss=allow_loss)


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
