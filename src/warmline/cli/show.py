"""`warmline show`: one call as a page to read."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from warmline.cli.options import JsonOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.terminal import note_access, say_json
from warmline.cli.zones import ZoneOption, zone_of
from warmline.database import open_for_reading
from warmline.places import places_of
from warmline.warehouse.call_names import find_call
from warmline.warehouse.reviews import show_landed_reviews

# Everything the warehouse knows of one call, read for the page that `warmline show` prints.


Row = dict[str, Any]

_METRICS = """
SELECT m.name, m.party, m.role, m.value, d.unit, m.numerator, m.denominator, m.observations,
    m.coverage, m.confidence, m.reason, m.evidence, d.definition, d.level
FROM metrics AS m
LEFT JOIN metric_definitions AS d ON d.name = m.name AND d.version = m.version
WHERE m.call_id = $call_id ORDER BY m.rowid
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
        """Return the page as plain values for a machine to read."""
        return asdict(self)

    def review_of_cue(self, index: int) -> Row | None:
        """Return the reviews of a row of the ledger; None when there are none."""
        return next((r for r in self.reviews if r["opportunity_index"] == index), None)

    def review_of_metric(self, name: str, party: str | None) -> Row | None:
        """Return the reviews of a measure; None when there are none."""
        found = (r for r in self.reviews if r["subject"] == "metric")
        return next((r for r in found if (r["name"], r["party"]) == (name, party)), None)

    def name_of(self, party: str) -> str:
        """Return the name of a party on the page: its role, or its letter if that is not known."""
        roles = [row["role"] for row in self.parties if row["role"] not in (None, "unknown")]
        role = next((row["role"] for row in self.parties if row["party"] == party), None)
        if role in (None, "unknown"):
            return party
        return str(role) if roles.count(role) == 1 else f"{role} {party}"


def read_page(warehouse: Path, call_id: str) -> CallPage:
    """Return the page of a call, found by its id, the beginning of its id, or its file.

    Raises `QueryError` with the closest ids when there is none, or more than one, of that name;
    `WarehouseError` when there is no warehouse.
    """
    with open_for_reading(warehouse) as con:
        show_landed_reviews(con, warehouse)
        found = find_call(con, call_id, beginnings=True).call_id

        def rows(table: str) -> list[Row]:
            order = "start_s" if table != "parties" else "party"
            return _rows(
                con, f"SELECT * FROM {table} WHERE call_id = $call_id ORDER BY {order}", found
            )

        return CallPage(
            call=_rows(con, "SELECT * FROM calls WHERE call_id = $call_id", found)[0],
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
            metrics=_rows(con, _METRICS, found),
            profile=_rows(con, _PROFILE, found) if _has_view(con, "call_profile") else [],
            reviews=_rows(con, _REVIEWS, found) if _has_view(con, "review_summary") else [],
        )


def _has_view(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether the warehouse was published since this view exists."""
    sql = "SELECT 1 FROM duckdb_views() WHERE view_name = $name"
    return con.execute(sql, {"name": name}).fetchone() is not None


def _rows(con: duckdb.DuckDBPyConnection, sql: str, call_id: str) -> list[Row]:
    result = con.execute(sql, {"call_id": call_id})
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


_NARROWEST = 60


def show(
    call_id: Annotated[
        str, typer.Argument(help="Its id, the beginning of its id, or the name of its file.")
    ],
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            min=_NARROWEST,
            help="Characters in a line; by default those of the terminal.",
            show_default=False,
        ),
    ] = None,
    timezone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one call: who spoke when, what was said, what was measured, and where to hear it."""

    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    at = places_of(chosen, None, warehouse).warehouse
    page = read_page(at, call_id)
    note_access(at, "show", calls=[page.call["call_id"]])
    page = replace(page, call=zone.row(page.call))
    if as_json:
        say_json(page.as_dict())
        return
    from warmline.cli.render_call import head, parties, timeline, transcript
    from warmline.cli.render_metrics import ledger, measures, profile, quotes
    from warmline.cli.terminal import PlainConsole

    console = PlainConsole(width=width, highlight=False)
    line = max(console.width, _NARROWEST)
    for part in (
        head(page),
        parties(page),
        timeline(page, line),
        transcript(page),
        ledger(page),
        quotes(page),
        profile(page),
        measures(page, line),
    ):
        for renderable in part:
            console.print(renderable)
