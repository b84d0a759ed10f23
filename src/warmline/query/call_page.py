"""Read all that the warehouse knows of one call, for the pages that show it; and their values."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from warmline.database import open_for_reading
from warmline.warehouse.call_names import find_call
from warmline.warehouse.reviews import show_landed_reviews

if TYPE_CHECKING:
    from rich.text import Text

Row = dict[str, Any]

_METRICS = """
SELECT m.name, m.party, m.role, m.value, d.unit, m.numerator, m.denominator, m.observations,
    m.coverage, m.confidence, m.reason, m.evidence, d.definition, d.level
FROM metrics AS m
LEFT JOIN metric_definitions AS d ON d.name = m.name AND d.version = m.version
WHERE m.call_no = $call_no AND m.call_id = $call_id ORDER BY m.rowid
"""
_REVIEWS = """
SELECT subject, name, party, opportunity_index, verdict, reviews, should_be, remarks
FROM review_summary WHERE call_id = $call_id ORDER BY subject, opportunity_index, name, party
"""
_PROFILE = """
SELECT component, value, amount, exposure, reference_mean, reference_calls, score, score_low,
    score_high, reason
FROM call_profile WHERE call_id = $call_id ORDER BY component
"""


@dataclass(frozen=True)
class CallPage:
    """The rows of one call, table by table, in order of time."""

    call: Row
    parties: list[Row]
    turns: list[Row]
    segments: list[Row]
    silences: list[Row]
    tones: list[Row]
    overlaps: list[Row]
    backchannels: list[Row]
    opportunities: list[Row]
    moments: list[Row]
    quotes: list[Row]
    metrics: list[Row]
    profile: list[Row]
    reviews: list[Row]

    def as_dict(self) -> dict[str, Any]:
        """For a machine to read."""
        return asdict(self)

    def review_of_cue(self, index: int) -> Row | None:
        """Return the reviews of a row of the ledger; None when there are none."""
        return next((r for r in self.reviews if r["opportunity_index"] == index), None)

    def review_of_metric(self, name: str, party: str | None) -> Row | None:
        """Return the reviews of a measure; None when there are none."""
        found = (r for r in self.reviews if r["subject"] == "metric")
        return next((r for r in found if (r["name"], r["party"]) == (name, party)), None)

    def name_of(self, party: str) -> str:
        """Return what a party is called: its role, or its letter if that is not known."""
        roles = [row["role"] for row in self.parties if row["role"] not in (None, "unknown")]
        role = next((row["role"] for row in self.parties if row["party"] == party), None)
        if role in (None, "unknown"):
            return party
        return str(role) if roles.count(role) == 1 else f"{role} {party}"


def read_page(warehouse: Path, call_id: str) -> CallPage:
    """The page of a call, named by its id, by the beginning of it, or by its file.

    Raises `QueryError` with the closest ids when there is none, or more than one, of that name;
    `WarehouseError` when there is no warehouse.
    """
    with open_for_reading(warehouse) as con:
        show_landed_reviews(con, warehouse)
        return page_of(con, find_call(con, call_id, beginnings=True).call_id)


def page_of(con: duckdb.DuckDBPyConnection, call_id: str, *, with_profile: bool = True) -> CallPage:
    """Return the page of a call by its name in the warehouse that this connection reads.

    The profile compares the call with all others and takes longest; without it, it is empty.
    """
    call = _rows(con, "SELECT * FROM calls WHERE call_id = $call_id", call_id)[0]
    # Rows lie in order of the number, so that of a million calls' next to nothing is read.
    number = {"call_no": call["call_no"]}
    compares = with_profile and _has_view(con, "call_profile")

    def rows(table: str) -> list[Row]:
        order = "start_s" if table != "parties" else "party"
        where = "call_no = $call_no AND call_id = $call_id"
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY {order}"
        return _rows(con, sql, call_id, **number)

    return CallPage(
        call=call,
        parties=rows("parties"),
        turns=rows("turns"),
        segments=rows("speech_segments"),
        silences=rows("silences"),
        tones=rows("tones"),
        overlaps=rows("speech_overlaps"),
        backchannels=rows("backchannels"),
        opportunities=rows("opportunities"),
        moments=rows("moments"),
        quotes=rows("quotes"),
        metrics=_rows(con, _METRICS, call_id, **number),
        profile=_rows(con, _PROFILE, call_id) if compares else [],
        reviews=_rows(con, _REVIEWS, call_id) if _has_view(con, "review_summary") else [],
    )


def _has_view(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether the warehouse was published since there is this view."""
    sql = "SELECT 1 FROM duckdb_views() WHERE view_name = $name"
    return con.execute(sql, {"name": name}).fetchone() is not None


def _rows(con: duckdb.DuckDBPyConnection, sql: str, call_id: str, **more: int | None) -> list[Row]:
    result = con.execute(sql, {"call_id": call_id, **more})
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


# What the pages show in the same way: times, values, colours.

ROLE_STYLES = {"agent": "cyan", "customer": "magenta", "ivr": "yellow", "other": "green"}
_UNIT_FORMATS = {
    "s": "{:.2f} s",
    "share": "{:.0%}",
    "count": "{:.0f}",
    "per_min": "{:.2f}/min",
    "per_hour": "{:.1f}/h",
    "dB": "{:.1f} dB",
    "semitones": "{:.2f} st",
    "Hz": "{:.0f} Hz",
    "words/s": "{:.2f} words/s",
    "ratio": "{:.2f}",
}


def clock(seconds: float | None) -> str:
    """Return a time such as `75.2` as `1:15`, with hours only where there are some."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, s = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


def value_text(value: float | None, unit: str | None) -> str:
    """Return a value with its unit, rounded for a reader; `-` where there is none."""
    if value is None:
        return "-"
    known = _UNIT_FORMATS.get(unit or "")
    return known.format(value) if known else f"{value:.3g} {unit or ''}".rstrip()


def share_text(value: float | None) -> str:
    """Return a share such as `0.421` as `42 %`."""
    return "-" if value is None else f"{value:.0%}"


def role_style(name: str) -> str:
    """Return the colour of a party by its name on the page."""
    return ROLE_STYLES.get(name.split(" ")[0], "white")


def styled(parts: list[tuple[str, str]]) -> "Text":
    """Return pieces of text, each with its style, on one line."""
    from rich.text import Text

    return Text.assemble(*parts)


def evidence_text(evidence: list[dict[str, Any]], room: int) -> str:
    """Return as many times of the evidence as fit into `room` characters."""
    times = [clock(place["start_s"]) for place in evidence]
    for shown in range(len(times), 0, -1):
        more = len(times) - shown
        text = " ".join(times[:shown]) + (f" +{more}" if more else "")
        if len(text) <= room or shown == 1:
            return text
    return ""
