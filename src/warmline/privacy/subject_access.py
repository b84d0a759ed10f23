"""Collect all that is stored about a customer, who asks for it: as JSON, and as a page to read."""

import glob
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.database import open_for_reading
from warmline.errors import WarmlineError, one_line
from warmline.files import Places, is_there, write_whole
from warmline.landing import Selection
from warmline.landing.feedback import all_evaluations, outcome_files, read_outcomes
from warmline.landing.store import to_row
from warmline.query.reviews import all_reviews
from warmline.reports.report import in_markdown
from warmline.warehouse.tables import tables_of_calls

#: What may hold something of them besides, and is not looked into here.
ELSEWHERE = (
    "the recordings themselves (each call says where its recording lies)",
    "metadata tables and JSON files from which calls took what is known of them",
    "files that were exported, backups, and copies of any of these",
    "Prefect's own database: names of recordings and of calls for night.keep_runs_days days",
)
_TABLES = """
SELECT table_name FROM duckdb_columns()
WHERE schema_name = 'main' AND column_name = 'call_id' AND list_contains($tables, table_name)
ORDER BY table_name
"""


@dataclass(frozen=True)
class SubjectAccess:
    """All that is stored about a customer.

    `analyses` are the landed ones with the warehouse's name of each, None before it is published;
    `published` has the rows of each table of the warehouse that are of these calls; `outcomes` are
    all lines that were ever loaded, `reviews` all reviews, `evaluations` each with all it went
    through; `additions` what people wrote on the pages of `warmline serve`; `reports` name a call.
    """

    customers: tuple[str, ...]
    made_at: datetime
    places: Places
    analyses: tuple[tuple[str | None, CallAnalysis], ...]
    published: dict[str, list[dict[str, Any]]]
    outcomes: tuple[dict[str, Any], ...]
    reviews: tuple[dict[str, Any], ...]
    evaluations: tuple[dict[str, Any], ...]
    additions: tuple[dict[str, Any], ...]
    reports: tuple[str, ...]
    has_opted_out: bool


def collect(places: Places, customers: Sequence[str]) -> SubjectAccess:
    """Return all that is stored about a customer, whose id may be written in several ways.

    Raises LandingError or UnreadableError for a file that cannot be read: what might be in it must
    not be missing silently; WarehouseError as `open_for_reading`.
    """
    folder = places.landing
    keys = frozenset(landing.matching(folder, Selection(customers=frozenset(customers))))
    found = [
        landing.read_landed(folder, known)
        for known in landing.known(folder)
        if known.landing_key in keys
    ]
    names, published = _published(places.warehouse, keys)
    claimed = {analysis.metadata.call_id for analysis in found} | set(names.values())
    out = landing.left_out(folder)
    by_key = ((names.get(landing.key_of(a)), a) for a in found)
    return SubjectAccess(
        customers=tuple(customers),
        made_at=datetime.now(UTC),
        places=places,
        analyses=tuple(sorted(by_key, key=lambda pair: _begun(pair[1]))),
        published=published,
        outcomes=tuple(_outcomes(folder, frozenset(customers), claimed)),
        reviews=tuple(asdict(r) for r in all_reviews(folder) if r.landing_key in keys),
        evaluations=tuple(asdict(e) for e in all_evaluations(folder) if e.landing_key in keys),
        additions=tuple(_additions(places.warehouse, keys)),
        reports=tuple(_reports(places.warehouse, claimed)),
        has_opted_out=any(map(out.has_opted_out, customers)),
    )


def write(access: SubjectAccess, folder: Path) -> tuple[Path, Path]:
    """Write `customer.json` and `customer.txt`, readable by their owner alone.

    Raises WarmlineError naming a file that cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise WarmlineError(f"{folder}: cannot be made ({e.strerror})") from e
    texts = {"customer.json": as_json(access), "customer.txt": as_text(access)}
    for name, text in texts.items():
        path = folder / name
        write_whole(path, partial(_write, text=text), WarmlineError, "what is kept of a customer")
        path.chmod(0o600)
    return folder / "customer.json", folder / "customer.txt"


def as_json(access: SubjectAccess) -> str:
    """Return all of it as JSON."""
    calls = [
        {
            "call_id": name or analysis.metadata.call_id,
            "is_published": name is not None,
            "recording_is_there": _is_there(analysis.recording.path),
            "kept": to_row(analysis),
        }
        for name, analysis in access.analyses
    ]
    content = {
        "customer": list(access.customers),
        "made_at": access.made_at,
        "landing_folder": access.places.landing,
        "warehouse": access.places.warehouse,
        "has_opted_out_of_later_calls": access.has_opted_out,
        "calls": calls,
        "outcomes": access.outcomes,
        "reviews": access.reviews,
        "evaluations": access.evaluations,
        "comments_and_evaluations": access.additions,
        "rows_of_the_warehouse": access.published,
        "reports_that_name_a_call": access.reports,
        "not_looked_into": ELSEWHERE,
    }
    return json.dumps(content, default=str, ensure_ascii=False, indent=1)


def as_text(access: SubjectAccess) -> str:
    """Return a page to read: calls with their words and measures, outcomes, what people said."""
    lines = [
        f"What is kept of customer {', '.join(access.customers)}",
        f"made {access.made_at:%Y-%m-%d %H:%M} UTC; everything is in customer.json",
        "",
        f"{len(access.analyses)} recordings, {len(access.outcomes)} outcomes, "
        f"{len(access.reviews)} reviews, {len(access.evaluations)} evaluations; "
        + ("opted out of later calls" if access.has_opted_out else "did not opt out"),
        "Words in [brackets] were hidden before anything was kept; what they were is kept nowhere.",
        "Agents' and reviewers' names and words are here, too: look at their rights before you "
        "hand this out.",
    ]
    for name, analysis in access.analyses:
        lines += ["", *_call(name, analysis)]
    lines += _listed("Outcomes", [_pairs(row) for row in access.outcomes])
    lines += _listed("Reviews by people who listened", [_pairs(row) for row in access.reviews])
    lines += _listed("Scorecards filled in", [_pairs(row) for row in access.evaluations])
    # The text of a form is none of the customer's, and long: it is in the JSON.
    written = [_pairs(row | {"form_text": None}) for row in access.additions]
    lines += _listed("Comments and evaluations on the pages", written)
    lines += _listed("Reports of nights that name a call", access.reports)
    lines += _listed("Not looked into", ELSEWHERE)
    return "\n".join(one_line(line) for line in lines) + "\n"


_THERE = {True: "there", False: "not there any more", None: "not known whether it is there"}


def _call(name: str | None, analysis: CallAnalysis) -> Iterator[str]:
    known, recording = analysis.metadata, analysis.recording
    yield f"Call {name or known.call_id}, {_begun(analysis):%Y-%m-%d %H:%M} UTC, {analysis.status}"
    yield f"  recording: {recording.path} ({_THERE[_is_there(recording.path)]})"
    shown = {k: v for k, v in to_row(known).items() if v and k not in ("call_id", "started_at")}
    yield f"  known: {_pairs(shown)}"
    if analysis.reason:
        yield f"  reason: {analysis.reason}"
    if analysis.words_erased_at:
        yield f"  words were erased on {analysis.words_erased_at:%Y-%m-%d}"
    turns = analysis.conversation.turns if analysis.conversation else ()
    for turn in turns:
        if turn.text:
            yield f"  {turn.start_s:7.1f} s  {turn.role:<8}  {turn.text}"
    for hidden in analysis.redactions or ():
        yield f"  hidden: {hidden.kind} at {hidden.start_s:.1f} s"
    for part in (analysis.floor, analysis.prosody, analysis.empathy):
        for metric in part.metrics if part else ():
            if metric.value is not None:
                party = f" of {metric.party}" if metric.party else ""
                yield f"  measure: {metric.name}{party} = {metric.value:g}"


def _published(
    warehouse: Path, keys: frozenset[str]
) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """Return the warehouse's names of these recordings, and its rows of them."""
    if not warehouse.is_file():
        return {}, {}
    with open_for_reading(warehouse) as con:
        calls = con.execute(
            "SELECT landing_key, call_id FROM calls WHERE list_contains($keys, landing_key)",
            {"keys": sorted(keys)},
        ).fetchall()
        ids = [call_id for _, call_id in calls]
        tables = {}
        of_calls = [file.name for file in tables_of_calls()]
        given = {"tables": ["calls", "outcome_calls", *of_calls]}
        for (table,) in con.execute(_TABLES, given).fetchall():
            rows = con.execute(
                f'SELECT * FROM "{table}" WHERE call_id IN (SELECT unnest($ids::VARCHAR[]))',
                {"ids": ids},
            )
            columns = [column[0] for column in rows.description or ()]
            tables[table] = [dict(zip(columns, row, strict=True)) for row in rows.fetchall()]
    return dict(calls), tables


def _outcomes(folder: Path, customers: frozenset[str], calls: set[str]) -> Iterator[dict[str, Any]]:
    for file in outcome_files(folder):
        for row in read_outcomes(folder / file.name).to_pylist():
            if row["customer_id"] in customers or row["given_call_id"] in calls:
                yield row


def _additions(warehouse: Path, keys: frozenset[str]) -> list[dict[str, Any]]:
    """Return what people wrote about these calls on the pages. Raises WarmlineError."""
    if not warehouse.resolve().with_suffix(".web.sqlite").is_file():
        return []
    try:
        from warmline.web.store import existing_store
    except ModuleNotFoundError as e:
        raise WarmlineError(
            f"{warehouse}: people wrote about its calls on the pages, and reading that "
            f"needs {e.name}: pip install 'warmline[web]'"
        ) from e
    store = existing_store(warehouse)
    if store is None:
        return []
    try:
        return store.additions(keys)
    finally:
        store.close()


def _reports(warehouse: Path, calls: set[str]) -> Iterator[str]:
    names = {in_markdown(call) for call in calls}
    pattern = f"{glob.escape(warehouse.stem)}-*.md"
    for path in sorted((warehouse.parent / "reports").glob(pattern)):
        text = path.read_text(encoding="utf-8", errors="replace")
        if any(name in text for name in names):
            yield str(path)


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _pairs(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)


def _begun(analysis: CallAnalysis) -> datetime:
    return analysis.metadata.started_at or analysis.recording.modified_at


def _is_there(path: str) -> bool | None:
    """Return whether a recording exists; a remote one is unknown until it is asked for, and so is
    one in a folder that nobody may look into.
    """
    return None if "://" in path else is_there(path)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
