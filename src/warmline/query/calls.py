"""One call: found by what a person types, an id or the path of a recording, and read whole.

The warehouse gives every call a name of its own, `calls.call_id`. Where recordings claim one id in
their metadata, the oldest keeps it and the others get a digest behind it (`c-17~51ada0f9`). The id
alone then says nothing about which call is meant; with its digest behind it, each can be named, the
oldest one, too.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from warmline.database import open_for_reading
from warmline.errors import QueryError, Status, shortened
from warmline.warehouse.landing_folder import show_landed_reviews

if TYPE_CHECKING:
    from rich.text import Text


_SHOWN = 6

_CALLS = """
SELECT call_id, claimed_call_id, landing_key, path, status FROM calls
"""
# Of a million ids few contain the text, and only those are trimmed.
_HAS_ID = """(contains(claimed_call_id, $text) OR contains(claimed_call_id, $nfc))
    AND trim(claimed_call_id) IN ($text, $nfc)"""
_HAS_EXACT_NAME = """contains(claimed_call_id, $claim)
    AND trim(claimed_call_id) || '~' || split_part(landing_key, '/', 2)[:8] = $text"""
_BY_ID = f"{_CALLS} WHERE call_id IN ($text, $nfc) OR ({_HAS_ID}) ORDER BY call_id"
_BY_EXACT_NAME = f"""{_CALLS}
WHERE call_id IN ($text, $nfc) OR ({_HAS_ID}) OR ({_HAS_EXACT_NAME})
ORDER BY call_id
"""
_BY_PATH = f"""{_CALLS}
WHERE path IN ($text, $nfc, $absolute) OR ends_with(path, '/' || $text)
    OR ends_with(path, '/' || $nfc)
ORDER BY call_id
"""
_BY_BEGINNING = f"""{_CALLS}
WHERE starts_with(call_id, $text) OR starts_with(call_id, $nfc)
ORDER BY call_id
"""
_CLOSEST = """
SELECT call_id FROM calls
ORDER BY jaro_winkler_similarity(lower(call_id), lower($text)) DESC, call_id LIMIT 5
"""


@dataclass(frozen=True)
class NamedCall:
    """A call of the warehouse: its own name, its id in the metadata, and its recording."""

    call_id: str
    claimed_call_id: str
    landing_key: str
    path: str
    status: Status

    @property
    def exact_name(self) -> str:
        """Return a name that no other call has, even where others claim the same id."""
        digest = self.landing_key.rpartition("/")[2][:8]
        claim = self.claimed_call_id.strip()
        return f"{claim}~{digest}" if self.call_id == claim else self.call_id


def all_calls(warehouse: Path) -> tuple[NamedCall, ...]:
    """Return every call of the warehouse, in order of its name."""
    with open_for_reading(warehouse) as con:
        return _named(con, f"{_CALLS} ORDER BY call_id")


def call_named(con: duckdb.DuckDBPyConnection, call_id: str) -> NamedCall | None:
    """Return the call whose own name in the warehouse this is; None where there is none.

    No other call has it, and unlike the ids that recordings claim it is looked up at once.
    """
    found = _named(con, f"{_CALLS} WHERE call_id = $text", text=_storable(call_id))
    return found[0] if found else None


def find_calls(con: duckdb.DuckDBPyConnection, text: str) -> tuple[NamedCall, ...]:
    """Return every call that an id, a name of the warehouse or a recording's path may mean.

    None, if there is none. More than one, where calls share the id or the file name: a command that
    acts on a call has to ask which one is meant (see `find_call`).
    """
    forms = _forms(text)
    claim, mark, _ = forms["text"].rpartition("~")
    if mark:
        found = _named(con, _BY_EXACT_NAME, **forms, claim=claim)
    else:
        found = _named(con, _BY_ID, **forms)
    absolute = _storable(str(Path(text).absolute()))
    return found or _named(con, _BY_PATH, **forms, absolute=absolute)


def find_call(con: duckdb.DuckDBPyConnection, text: str, *, beginnings: bool = False) -> NamedCall:
    """Return the one call that is meant; with `beginnings`, the beginning of its id will do.

    A copy of a recording is not meant where the id is that of an analyzed call, too. Raises
    QueryError with the names of the calls that share the id, or with the closest ids.
    """
    found = find_calls(con, text)
    if not found and beginnings:
        return _begun(con, text)
    meant = [call for call in found if call.status is not Status.DUPLICATE] or list(found)
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise QueryError(ambiguous(text, meant))
    raise QueryError(_unknown(con, text))


def _begun(con: duckdb.DuckDBPyConnection, text: str) -> NamedCall:
    """Return the one call whose name begins like this."""
    found = _named(con, _BY_BEGINNING, **_forms(text))
    if not found:
        raise QueryError(_unknown(con, text))
    if len(found) > 1:
        named = ", ".join(shortened(call.call_id) for call in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise QueryError(f"more than one call is called '{shortened(text)}...': {named}{more}")
    return found[0]


def _unknown(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return the message for a call that does not exist."""
    closest = [
        shortened(name) for (name,) in con.execute(_CLOSEST, {"text": _storable(text)}).fetchall()
    ]
    if not closest:
        return f"no call '{shortened(text)}': the warehouse has no calls yet"
    return f"no call is called '{shortened(text)}'; closest: {', '.join(closest)}"


def ambiguous(text: str, calls: Sequence[NamedCall]) -> str:
    """Return the sentence that names the calls which share what was typed."""
    named = [f"{shortened(call.exact_name)} ({call.path})" for call in calls[:_SHOWN]]
    more = f" and {len(calls) - _SHOWN} more" if len(calls) > _SHOWN else ""
    return (
        f"'{shortened(text)}' is ambiguous, {len(calls)} calls are called that: "
        f"{', '.join(named)}{more}; "
        "give one of these names, or the path of the recording"
    )


def _forms(text: str) -> dict[str, str]:
    """Return the typed text, and its form in metadata's Unicode normalisation."""
    return {"text": _storable(text), "nfc": unicodedata.normalize("NFC", _storable(text.strip()))}


def _storable(text: str) -> str:
    """Return the text as it is stored: lone surrogates, as in file names, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _named(con: duckdb.DuckDBPyConnection, sql: str, **given: str) -> tuple[NamedCall, ...]:
    found = con.execute(sql, given).fetchall()
    return tuple(NamedCall(a, b, c, d, Status(e)) for a, b, c, d, e in found)


# All that the warehouse knows of one call, for the pages that show it.

Row = dict[str, Any]

_METRICS = """
SELECT m.name, m.party, m.role, m.value, d.unit, m.numerator, m.denominator, m.observations,
    m.coverage, m.confidence, m.reason, m.evidence, d.definition, d.level
FROM {facts}.metrics AS m
LEFT JOIN metric_definitions AS d ON d.name = m.name AND d.version = m.version
WHERE m.call_no = $call_no ORDER BY m.name, m.party NULLS FIRST
"""
_REVIEWS = """
SELECT subject, name, party, opportunity_index, verdict, reviews, should_be, remarks, reviewers
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
        """Return the page for a machine to read."""
        return asdict(self)

    def review_of_cue(self, index: int) -> Row | None:
        """Return the reviews of a row of the ledger; None when there are none."""
        return next((r for r in self.reviews if r["opportunity_index"] == index), None)

    def review_of_metric(self, name: str, party: str | None) -> Row | None:
        """Return the reviews of a measure; None when there are none."""
        found = (r for r in self.reviews if r["subject"] == "metric")
        return next((r for r in found if (r["name"], r["party"]) == (name, party)), None)

    @cached_property
    def _names(self) -> dict[str, str]:
        known = [row["role"] for row in self.parties if row["role"] not in (None, "unknown")]
        names = {}
        for row in self.parties:
            party, role = row["party"], row["role"]
            one = role if known.count(role) == 1 else f"{role} {party}"
            names[party] = party if role in (None, "unknown") else str(one)
        return names

    def name_of(self, party: str) -> str:
        """Return what a party is called: its role, or its letter if that is not known."""
        return self._names.get(party, party)


def read_page(warehouse: Path, call_id: str) -> CallPage:
    """Return the page of a call, named by its id, by the beginning of it, or by its file.

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
    call = _rows(con, "SELECT * FROM calls WHERE call_id = $call_id", call_id=call_id)[0]
    # A dozen tables: by the number that their rows lie by, that takes half as long as by the views.
    number = {"call_no": call["call_no"]}
    # Before there were views, the tables themselves had both.
    facts, keys = ("facts", "call_no") if _has_view(con, "turns") else ("main", "call_id, call_no")
    compares = with_profile and _has_view(con, "call_profile")

    def rows(table: str) -> list[Row]:
        order = "start_s" if table != "parties" else "party"
        columns = f"$call_id AS call_id, * EXCLUDE ({keys})"
        sql = f"SELECT {columns} FROM {facts}.{table} WHERE call_no = $call_no ORDER BY {order}"
        return _rows(con, sql, call_id=call_id, **number)

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
        metrics=_rows(con, _METRICS.format(facts=facts), **number),
        profile=_rows(con, _PROFILE, call_id=call_id) if compares else [],
        reviews=_rows(con, _REVIEWS, call_id=call_id) if _has_view(con, "review_summary") else [],
    )


def _has_view(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether the warehouse was published since there is this view."""
    sql = "SELECT 1 FROM duckdb_views() WHERE view_name = $name"
    return con.execute(sql, {"name": name}).fetchone() is not None


def _rows(con: duckdb.DuckDBPyConnection, sql: str, **given: str | int) -> list[Row]:
    result = con.execute(sql, given)
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
    "level": "{:.3g} of 2",
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
