"""A page for those who lead: trends, what customers say, where it hurts, and what was not heard."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import compress

from starlette.responses import HTMLResponse, Response

from warmline.errors import QueryError
from warmline.statistics import Estimate, wilson
from warmline.web.accounts import Right
from warmline.web.drawing import Change, Interval, TrendPoint, change, interval, trend
from warmline.web.evidence import (
    ANSWERED,
    WORST_FIRST,
    corrected_rows,
    corrections,
    missed_feelings,
    verdicts,
    with_moments,
)
from warmline.web.filters import (
    Filters,
    condition,
    filters_of,
    keep_kind_of_report,
    other_days,
)
from warmline.web.site import Visit
from warmline.web.sound import silent_calls
from warmline.web.warehouse import Condition, Reader, Row

#: In a file without personal data a group of fewer calls than this is not told apart.
SMALLEST_CELL = 5
_MOST_ROWS, _MOST_MOMENTS, _QUOTES_EACH = 12, 6, 3
#: How many characters a sentence has that is quoted here: it can be understood, and read at once.
SHORTEST_QUOTE, LONGEST_QUOTE = 20, 240

#: The calls of the period and of the one before it, with what is summed; read once.
_REPORTED = """
CREATE OR REPLACE TEMP TABLE reported AS
SELECT
    call_id, (SELECT call_no FROM calls WHERE calls.call_id = call_summary.call_id) AS call_no,
    agent_id, started_at, queue, contact_reason, duration_s, no_ledger_reason, opportunities,
    answerable, answered, agent_talk_s, customer_talk_s, agent_interruptions, dead_air_s, hold_s,
    offers, misplaced_offers, reasks, hostile, friction_repeat,
    friction_transfer, friction_hold, ({now}) AS is_now
FROM call_summary
WHERE status = 'analyzed' AND is_simulated = $is_simulated AND (({now}) OR ({before}))
"""
_SUMS = """
WITH grouped AS (
    SELECT
        {by} AS name,
        count(DISTINCT agent_id) AS agents,
        week_sums(calls) AS sums,
        count(hostile) AS hostile_measured,
        count_if(hostile > 0) AS hostile_calls,
        sum(CASE WHEN hostile > 0 THEN duration_s ELSE 0 END) FILTER (hostile IS NOT NULL) / 60
            AS hostile_minutes,
        sum(duration_s) FILTER (hostile IS NOT NULL) / 60 AS measured_minutes,
        sum(hold_s) / nullif(sum(duration_s) FILTER (hold_s IS NOT NULL), 0) AS hold_share
    FROM reported AS calls
    WHERE {which}
    GROUP BY 1
),
summed AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped),
alike AS (SELECT design_effect_of(scatter, by_chance, answerable) AS worth FROM summed)
SELECT
    * EXCLUDE (scatter, by_chance, worth),
    worth AS design_effect,
    wilson(answered / worth, answerable / worth) AS bounds
FROM summed CROSS JOIN alike ORDER BY {order}
"""
_IS_REPORTED = "call_id IN (SELECT call_id FROM reported WHERE is_now)"
_WEEK = "date_trunc('week', started_at)::DATE"
_FRICTION = """
SELECT
    coalesce(calls.extra['journey_step'], calls.contact_reason, calls.queue, '') AS name,
    count(*) AS calls,
    count(DISTINCT reported.agent_id) AS agents,
    count(friction_repeat) AS measured,
    coalesce(
        count_if(friction_repeat + friction_transfer + friction_hold + coalesce(reasks, 0) > 0), 0
    ) AS hurting,
    sum(friction_repeat)::BIGINT AS repeats, sum(friction_transfer)::BIGINT AS transfers,
    sum(friction_hold)::BIGINT AS waits, sum(reasks)::BIGINT AS reasks
FROM reported INNER JOIN calls ON calls.call_id = reported.call_id
WHERE is_now
GROUP BY ALL ORDER BY hurting DESC, name LIMIT {most}
"""
#: Few columns decide which are shown; of calls alone that have numbers such as those reported.
#: What is too short or too long to be read here is counted, and has no words.
_QUOTES = """
WITH counted AS (
    SELECT
        cue, count(*) AS of_cue,
        min(struct_pack(by := md5(text), call_no := call_no, nth := quote_index), {each})
            FILTER (length(text) BETWEEN {shortest} AND {longest}) AS picked
    FROM facts.quotes
    WHERE call_no IN (SELECT call_no FROM reported WHERE is_now)
    GROUP BY cue
),
picked AS (
    SELECT cue, unnest(picked) AS one, generate_subscripts(picked, 1) AS place FROM counted
)
SELECT calls.call_id, calls.started_at, counted.cue, q.text, q.start_s, q.end_s, counted.of_cue
FROM counted
LEFT JOIN picked ON picked.cue = counted.cue
LEFT JOIN facts.quotes AS q ON q.call_no = one.call_no AND q.quote_index = one.nth
LEFT JOIN calls ON calls.call_no = one.call_no
ORDER BY counted.of_cue DESC, counted.cue, place
"""
#: The strongest feelings that nobody answered, as clips, in the order of the page that lists all.
_UNANSWERED = """
SELECT
    calls.call_id, calls.call_no, calls.started_at, o.opportunity_index, o.turn_index, o.kind,
    o.start_s, o.end_s, o.text, o.answer, o.answer_turn_index,
    o.answer_text
FROM (
    SELECT o.call_no, o.opportunity_index FROM facts.opportunities AS o
    WHERE NOT o.answered AND o.call_no IN (SELECT call_no FROM reported WHERE is_now)
    ORDER BY {order} LIMIT {most}
) AS picked
INNER JOIN calls ON calls.call_no = picked.call_no
INNER JOIN facts.opportunities AS o
    ON o.call_no = picked.call_no AND o.opportunity_index = picked.opportunity_index
ORDER BY {order}
"""
#: What could not be analyzed seldom has a date: then the day it was looked at counts, or, as nights
#: come after the days whose calls they take in, the latest day that has calls.
_UNHEARD = """
SELECT status, coalesce(reason_code, '') AS name, count(*) AS calls FROM calls
WHERE status IN ('no_speech', 'refused', 'failed') AND is_simulated = $is_simulated
    AND ($first IS NULL OR coalesce(started_at, analyzed_at) >= $first)
    AND ($past IS NULL OR coalesce(started_at, analyzed_at) < $past
        OR (started_at IS NULL AND $past > (
            SELECT max(started_at) FROM calls WHERE is_simulated = $is_simulated
        )))
GROUP BY ALL ORDER BY calls DESC, name
"""
_NO_LEDGER = """
SELECT no_ledger_reason AS name, count(*) AS calls FROM reported
WHERE is_now AND no_ledger_reason IS NOT NULL
GROUP BY ALL ORDER BY calls DESC, name LIMIT {most}
"""


@dataclass(frozen=True)
class Share:
    """A group of calls, its share with interval, and the same of the time before."""

    name: str
    row: Row
    now: Estimate | None
    before: Estimate | None

    @property
    def bar(self) -> Interval | None:
        """Return the share as it is drawn."""
        if self.now is None:
            return None
        text = f"{self.now.value:.0%}, {self.now.low:.0%} to {self.now.high:.0%}"
        return interval(self.name, self.now.low, self.now.value, self.now.high, text)


@dataclass(frozen=True)
class Report:
    """Everything that the page shows of a period."""

    filters: Filters
    is_simulated: bool
    has_real: bool
    uncounted: int
    missed: int
    now: Row | None
    before: Row | None
    corrected: Row | None
    weeks: list[Row]
    drawn: list[TrendPoint]
    mix: list[Share]
    friction: list[Share]
    hostile: list[Row]
    quotes: dict[str, list[Row]]
    worst: list[Row]
    verdicts: dict[tuple[str, int], Row]
    unheard: list[Row]
    no_ledger: list[Row]
    #: The parts of which groups are left out, as they are small enough to be about somebody.
    cut: frozenset[str] = frozenset()

    @property
    def change(self) -> Change | None:
        """Return how the latest week compares with all before it."""
        return change(self.weeks)


def report_of(visit: Visit, reader: Reader) -> Report:
    """Return the report of the period and the filters that the address says."""
    filters = filters_of(visit, reader, may_have_both=False)
    if filters.phrase:
        raise QueryError("a report counts calls; remove the phrase first")
    where = condition(visit, reader, filters)
    real = reader.value("SELECT count(*) FROM calls WHERE NOT is_simulated")
    is_simulated = filters.simulated == "1" or (real == 0 and not filters.simulated)
    values = where.values | {"is_simulated": is_simulated}
    past = _before(visit, reader, filters)
    reader.rows(
        _REPORTED.format(now=where.sql, before=past.sql if past else "false"),
        values | (past.values if past else {}),
    )

    def sums(by: str, order: str, which: str = "is_now") -> list[Row]:
        return reader.rows(_SUMS.format(by=by, which=which, order=order))

    now, earlier = sums("'all'", "name"), sums("'all'", "name", "NOT is_now")
    weeks = [_dated(row) for row in sums(_WEEK, "name DESC NULLS LAST")]
    counted = Condition(_IS_REPORTED, {})
    by_week = corrections(reader, "date_trunc('week', calls.started_at)::DATE", counted)
    weeks = corrected_rows(weeks, by_week, "week")
    friction = reader.rows(_FRICTION.format(most=_MOST_ROWS))
    changed = corrections(reader, "'all'", counted)
    worst = reader.rows(_UNANSWERED.format(order=WORST_FIRST, most=_MOST_MOMENTS))
    worst = with_moments(reader, worst)
    mix = sums("contact_reason", "calls DESC, name")
    mix_before = sums("contact_reason", "name", "NOT is_now")
    hostile = sums("queue", "hostile_minutes DESC NULLS LAST, name")
    return Report(
        filters,
        is_simulated,
        bool(real),
        0 if is_simulated else _simulated_beside(visit, reader, filters),
        sum(missed_feelings(visit, reader, counted).values()),
        now[0] if now else None,
        earlier[0] if earlier else None,
        changed.get("all"),
        weeks,
        trend(weeks),
        _mix(mix, mix_before),
        [Share(r["name"], r, wilson(r["hurting"], r["measured"]), None) for r in friction],
        [row for row in hostile if row["hostile_calls"]],
        _quotes(reader),
        worst,
        verdicts(visit, reader, worst),
        _unheard(reader, filters, is_simulated),
        reader.rows(_NO_LEDGER.format(most=_MOST_ROWS)),
    )


def _simulated_beside(visit: Visit, reader: Reader, filters: Filters) -> int:
    """Return how many simulated calls the days and filters leave, which the report leaves out."""
    where = condition(visit, reader, replace(filters, simulated="1"))
    which = f"status = 'analyzed' AND is_simulated AND {where.sql}"
    sql = f"SELECT count(*) FROM call_summary WHERE {which}"
    return int(reader.value(sql, where.values) or 0)


def show_report(visit: Visit) -> Response:
    """Show the report of a period, with quotes and links to what can be heard."""
    visit.require(Right.ALL_CALLS)
    with visit.site.reading(reviews=True) as reader:
        found = report_of(visit, reader)
        quoted = [row for rows in found.quotes.values() for row in rows]
        heard = {row["call_id"] for row in (*found.worst, *quoted) if row["call_id"]}
        shown_page = visit.page(
            "report.html",
            reader,
            report=found,
            is_validated=reader.is_validated(ANSWERED),
            silent=silent_calls(visit, reader, heard),
            elsewhere=other_days(visit, reader, replace(found.filters, path="/report")),
            is_export=False,
            no_file=_too_few(found, _fewest_agents(reader)),
            lengths=(SHORTEST_QUOTE, LONGEST_QUOTE),
        )
        return keep_kind_of_report(visit, shown_page)


def export_report(visit: Visit) -> Response:
    """Send the report as one HTML file that needs nothing else and names nobody.

    There are no agents, customers, calls or quotes in it, and no groups of a few calls or agents.
    """
    visit.require(Right.ALL_CALLS)
    with visit.site.reading(reviews=True) as reader:
        fewest = _fewest_agents(reader)
        found = report_of(visit, reader)
        if problem := _too_few(found, fewest):
            raise QueryError(problem)
        found = _without_few(found, fewest)
        page = visit.page(
            "report_file.html",
            reader,
            report=found,
            is_export=True,
            made_at=datetime.now(UTC),
            smallest=SMALLEST_CELL,
            fewest=fewest,
        )
    visit.note("exported", detail=f"report, {found.filters.first} to {found.filters.last}")
    name = f"report-{found.filters.first or 'all'}-{found.filters.last or 'days'}.html"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HTMLResponse(page.body, headers=headers)


def _fewest_agents(reader: Reader) -> int:
    """Of how many agents a group has to be: `profile.smallest_group`."""
    sql = "SELECT max(value) FROM profile_settings WHERE name = 'smallest_group'"
    return int(reader.value(sql) or 0)


def _too_few(report: Report, fewest: int) -> str | None:
    """Return why no file is made: what is left is about one or two people, and has no names.

    Where no call says who took it, there is nobody to count.
    """
    now = report.now
    if not report.filters.agent and (now is None or _is_told(now, fewest)):
        return None
    calls, agents = (now["calls"], now["agents"]) if now else (0, 0)
    these = f"there are too few (calls: {calls}, agents: {agents})"
    enough = f"{SMALLEST_CELL} calls of {max(fewest, 2)} agents"
    needed = f"A file without names needs {enough}, or it would be"
    narrower = [name for name, _, _ in report.filters.active() if name != "days"]
    advice = "remove a filter" if narrower else "choose more days"
    return f"{these}. {needed} about people; {advice}, or print the page instead"


def _is_told(row: Row, fewest: int) -> bool:
    """Tell whether a group is of so many calls and agents that it is about nobody."""
    return row["calls"] >= SMALLEST_CELL and not 0 < row["agents"] < fewest


def _before(visit: Visit, reader: Reader, filters: Filters) -> Condition | None:
    """The same filters for as many days before; None where there is no first or last day."""
    if filters.first is None or filters.last is None:
        return None
    last = filters.first - timedelta(days=1)
    earlier = replace(filters, first=last - (filters.last - filters.first), last=last)
    found = condition(visit, reader, earlier)
    names = {"first": "first_before", "past": "past_before"}
    sql = found.sql.replace("$first", "$first_before").replace("$past", "$past_before")
    return Condition(sql, {names[n]: v for n, v in found.values.items() if n in names})


def _dated(row: Row) -> Row:
    bounds = row["bounds"] or {"low": None, "high": None}
    return row | {
        "week": row["name"],
        "answered_low": bounds["low"],
        "answered_high": bounds["high"],
    }


def _mix(now: list[Row], before: list[Row]) -> list[Share]:
    """Return the reasons for calling with their share of calls, then and now.

    The row of the time before is in `before`, None where there was no such call.
    """
    total, total_before = (sum(row["calls"] for row in rows) for rows in (now, before))
    earlier = {row["name"]: row for row in before}
    return [
        Share(
            row["name"] or "",
            row | {"before": earlier.get(row["name"])},
            wilson(row["calls"], total),
            wilson(earlier[row["name"]]["calls"] if row["name"] in earlier else 0, total_before),
        )
        for row in now[:_MOST_ROWS]
    ]


def _quotes(reader: Reader) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in reader.rows(
        _QUOTES.format(each=_QUOTES_EACH, shortest=SHORTEST_QUOTE, longest=LONGEST_QUOTE)
    ):
        found.setdefault(row["cue"], []).append(row)
    return found


def _unheard(reader: Reader, filters: Filters, is_simulated: bool) -> list[Row]:
    past = None if filters.last is None else filters.last + timedelta(days=1)
    days = {"first": filters.first, "past": past}
    return reader.rows(_UNHEARD, days | {"is_simulated": is_simulated})


def _shown(groups: list[Row], fewest: int) -> list[bool]:
    """Return which groups may be shown, without the others following from the sum of all.

    What is left out is told by subtraction: if that is too few, the smallest of the others goes,
    too.
    """
    shown = [_is_told(row, fewest) for row in groups]
    rest = [row for row, is_shown in zip(groups, shown, strict=True) if not is_shown]
    if rest and any(shown):
        together = {
            "calls": sum(row["calls"] for row in rest),
            "agents": max(row["agents"] for row in rest),
        }
        if not _is_told(together, fewest):
            kept = [i for i, is_shown in enumerate(shown) if is_shown]
            shown[min(kept, key=lambda i: groups[i]["calls"])] = False
    return shown


def _without_few(report: Report, fewest: int) -> Report:
    """The report without groups of a few calls or agents, and without what customers said."""

    def told(shares: list[Share]) -> list[Share]:
        return list(compress(shares, _shown([share.row for share in shares], fewest)))

    def was_told(share: Share) -> bool:
        earlier = share.row["before"]
        return before is not None and earlier is not None and _is_told(earlier, fewest)

    before = report.before if report.before and _is_told(report.before, fewest) else None
    weeks = list(compress(report.weeks, _shown(report.weeks, fewest)))
    hostile = list(compress(report.hostile, _shown(report.hostile, fewest)))
    mix, friction = told(report.mix), told(report.friction)
    cut = {
        "weeks": len(weeks) < len(report.weeks),
        "mix": len(mix) < len(report.mix),
        "friction": len(friction) < len(report.friction),
        "hostile": len(hostile) < len(report.hostile),
    }
    return replace(
        report,
        before=before,
        weeks=weeks,
        drawn=trend(weeks),
        mix=[share if was_told(share) else replace(share, before=None) for share in mix],
        friction=friction,
        hostile=hostile,
        quotes={},
        worst=[],
        cut=frozenset(part for part, is_cut in cut.items() if is_cut),
    )
