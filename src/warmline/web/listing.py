"""Lists of calls, and of feelings left unanswered: filters that are links, page by page by key."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from warmline.errors import QueryError
from warmline.query.search import Hit, Scope, best_hits
from warmline.web.accounts import Right
from warmline.web.corrections import (
    Condition,
    corrected_rows,
    corrections,
    missed_feelings,
    uncorrected_feelings,
    verdicts,
)
from warmline.web.moments import with_moments
from warmline.web.names import reason_words
from warmline.web.scorecards import Evaluation, evaluations_of, forms
from warmline.web.site import Visit, rows_for, table_file
from warmline.web.warehouse import Reader, Row

PAGE_ROWS = 50
_MOST_FEELINGS = 100
_MOST_HITS = 100
_MOST_NAMED = 10
_MOST_CHOICES = 30
#: So many calls are counted: the page says that there are more, and stays quick.
MOST_COUNTED = 1000
_MOST_EXPORTED = 100_000
_LONGEST_NOTE = 500
#: Days that a filter may name: periods before them and days after them are days, too.
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2200, 12, 31)

#: Conditions on measures, by the name that the address has: what it is called, and SQL.
MEASURES = {
    "unanswered": ("a feeling found was left unanswered", "answered < answerable"),
    "answered": ("every feeling found was answered", "answerable > 0 AND answered = answerable"),
    "no_rate": (
        "feelings answered: cannot be said",
        "status = 'analyzed' AND answered_rate IS NULL",
    ),
    "interrupted": ("the agent interrupted", "agent_competitive_interruptions > 0"),
    "dead_air": ("dead air of 5 s or more", "longest_dead_air_s >= 5"),
    "hold": ("on hold", "hold_s > 0"),
    "hostile": ("hostile words", "hostile > 0"),
    "offer": ("a misplaced offer", "misplaced_offers > 0"),
    "again": ("information asked for again", "reasks > 0"),
    "not-analyzed": ("could not be analyzed", "status <> 'analyzed'"),
}
#: Which calls, by what the address has; where it has nothing, the real ones, if there are both.
SIMULATED = {"0": "real ones only", "1": "simulated ones only", "all": "real and simulated ones"}
_COLUMNS = """call_id, started_at, status, reason, agent_id, team, queue, contact_reason,
    duration_s, agent_talk_share, opportunities, answerable, answered, answered_rate, dead_air_s,
    agent_interruptions, no_ledger_reason, is_simulated"""
#: The same in an exported table, where a reason stands beside a rate that there is none of.
_EXPORTED = _COLUMNS.replace("no_ledger_reason", "no_rate_reason")
_ORDER = "started_at DESC NULLS LAST, call_id DESC"
#: Columns that the list is sorted by when their heading is clicked: the column, and whether its
#: greatest values come first then.
SORTS = {
    "began": ("started_at", True),
    "length": ("duration_s", True),
    "answered": ("answered_rate", False),
    "interrupted": ("agent_interruptions", True),
    "dead_air": ("dead_air_s", True),
}
#: How many calls of each kind there are on each day: what filters can be set to.
_DAYS = """
SELECT started_at::DATE::TIMESTAMP AS started_at, agent_id, team, queue, contact_reason,
    count(*) AS calls
FROM calls GROUP BY ALL
"""
#: The same of all days together.
_ALL_DAYS = """
SELECT agent_id, team, queue, contact_reason, count(*) AS calls FROM calls GROUP BY ALL
"""
#: The columns of a call that filters other than those on measures ask for.
_DECIDING = "call_id, started_at, agent_id, team, queue, contact_reason, is_simulated"
#: What decides which calls are on a page of the list, in its order.
_KEYS = f"""
SELECT {_DECIDING} FROM calls ORDER BY {_ORDER}
"""
#: The same where measures decide, too.
_MEASURED = f"""
SELECT {_DECIDING}, status, duration_s,
    answered, answerable, answered_rate, agent_interruptions, agent_competitive_interruptions,
    dead_air_s, longest_dead_air_s, hold_s, hostile, misplaced_offers, reasks
FROM call_summary ORDER BY {_ORDER}
"""
#: The first of the last four weeks with calls, and how many calls there are.
_EXTENT = "SELECT four_weeks_to(NULL)::DATE AS first, count(*) AS calls FROM calls"
_EQUAL = {"agent": "agent_id", "team": "team", "queue": "queue", "reason": "contact_reason"}
#: Feelings that were left unanswered: of a day's calls few columns decide which are shown.
_UNANSWERED = """
WITH picked AS (
    SELECT o.call_no, o.opportunity_index
    FROM facts.opportunities AS o{calls}
    WHERE NOT o.answered AND {where}
    ORDER BY {order} LIMIT {rows}
)
SELECT
    calls.call_id, calls.call_no, calls.started_at, calls.agent_id, calls.queue,
    calls.is_simulated, o.opportunity_index, o.turn_index, o.kind, o.strength, o.probability,
    o.start_s, o.end_s, o.text, o.answer, o.answer_turn_index
FROM picked
INNER JOIN calls ON calls.call_no = picked.call_no
INNER JOIN facts.opportunities AS o
    ON o.call_no = picked.call_no AND o.opportunity_index = picked.opportunity_index
ORDER BY {order}
"""
_OF_CALLS = " INNER JOIN calls ON calls.call_no = o.call_no"
#: The worst first: how strong a feeling was, and of those alike how it was treated; then the calls
#: that came last.
WORST_FIRST = """o.strength DESC,
    list_position(['dismissed', 'ignored', 'problem_solved_only'], o.answer),
    o.call_no DESC, o.start_s"""
_NEWEST = "calls.started_at DESC NULLS LAST, calls.call_id, o.start_s"


@dataclass(frozen=True)
class Filters:
    """The filters of a list, as the address of the page says it; empty is no condition."""

    agent: str = ""
    team: str = ""
    queue: str = ""
    reason: str = ""
    measure: str = ""
    first: date | None = None
    last: date | None = None
    all_days: bool = False
    phrase: str = ""
    sort: str = ""
    simulated: str = ""
    path: str = "/calls"

    @property
    def is_swapped(self) -> bool:
        """Return whether the first day is after the last, so that no day is between them."""
        return bool(self.first and self.last and self.first > self.last)

    @property
    def query(self) -> dict[str, str]:
        """Return the filters as fields of an address."""
        names = (*_EQUAL, "measure", "phrase", "sort", "simulated")
        fields = {name: getattr(self, name) for name in names}
        fields |= {"from": str(self.first or ""), "to": str(self.last or "")}
        fields["days"] = "all" if self.all_days else ""
        return {name: value for name, value in fields.items() if value}

    def link(self, **changes: Any) -> str:
        """Return the address of the list with these filters changed."""
        fields = replace(self, **changes).query
        return f"{self.path}?{urlencode(fields)}" if fields else self.path

    def sorted_by(self, name: str) -> str | None:
        """Return which way the list is sorted by a column, as `aria-sort` says it; None if not."""
        if name != (self.sort.removeprefix("-") or "began"):
            return None
        return "descending" if self.sort.startswith("-") or not self.sort else "ascending"

    def sorted_by_way(self) -> str | None:
        """Return which way the list is sorted."""
        return self.sorted_by(self.sort.removeprefix("-") or "began")

    def sort_link(self, name: str) -> str:
        """Return the address of the list sorted by a column, the other way round if it is."""
        is_down = SORTS[name][1]
        if found := self.sorted_by(name):
            is_down = found == "ascending"
        sort = f"-{name}" if is_down else name
        return self.link(sort="" if sort == "-began" else sort)

    def periods(self) -> list[tuple[str, str]]:
        """Return links to days that are often asked for, counted back from the last one here."""
        links = [("all days", self.link(first=None, last=None, all_days=True))]
        if self.last is not None:
            for days in (28, 7, 1):
                first = self.last - timedelta(days=days - 1)
                name = f"{days} days to {self.last}" if days > 1 else f"{self.last}"
                links.insert(0, (name, self.link(first=first, last=self.last, all_days=False)))
        return links

    def active(self) -> list[tuple[str, str, "Filters"]]:
        """Return each filter that is set: its name, its value, and the filters without it."""
        without: dict[str, Filters] = {
            "agent": replace(self, agent=""),
            "team": replace(self, team=""),
            "queue": replace(self, queue=""),
            "reason": replace(self, reason=""),
        }
        found = [
            (name, getattr(self, name), rest)
            for name, rest in without.items()
            if getattr(self, name)
        ]
        if self.measure:
            found.append(("only where", MEASURES[self.measure][0], replace(self, measure="")))
        if self.simulated in ("0", "1"):
            found.append(("calls", SIMULATED[self.simulated], replace(self, simulated="all")))
        if self.phrase:
            found.append(("somebody said", self.phrase, replace(self, phrase="")))
        if not self.all_days and (self.first or self.last):
            days = f"{self.first or '…'} to {self.last or '…'}"
            found.append(("days", days, replace(self, first=None, last=None, all_days=True)))
        return found


def filters_of(visit: Visit, reader: Reader, path: str = "/calls", usual_days: int = 28) -> Filters:
    """Return the filters of an address; without days, the last four weeks (or so) with calls.

    Raises QueryError naming a field that cannot be read.
    """
    names = (*_EQUAL, "measure", "phrase", "sort", "simulated")
    asked = {name: visit.asked(name)[:200] for name in names}
    if asked["simulated"] not in SIMULATED:
        is_mixed = visit.user.may(Right.ALL_CALLS) and has_both(reader)
        asked["simulated"] = "0" if is_mixed else ""
    if asked["measure"] and asked["measure"] not in MEASURES:
        raise QueryError(f"measure: one of {', '.join(MEASURES)}")
    if asked["sort"] and asked["sort"].removeprefix("-") not in SORTS:
        raise QueryError(f"sort: one of {', '.join(SORTS)}, with - before it the other way round")
    first, last = _day(visit, "from"), _day(visit, "to")
    all_days = visit.asked("days") == "all" and not (first or last)
    if not (first or last or all_days):
        first = reader.value(f"SELECT first FROM {reader.kept('call_extent', _EXTENT)}")
        last = first + timedelta(days=27) if first else None
        first = last - timedelta(days=usual_days - 1) if last else None
        all_days = first is None
    return Filters(**asked, first=first, last=last, all_days=all_days, path=path)


def _day(visit: Visit, name: str) -> date | None:
    text = visit.asked(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise QueryError(f"a day is written 2026-11-20, not {text[:40]!r}") from None
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise QueryError(f"a day from {_FIRST_DAY} to {_LAST_DAY}, not {day}")
    return day


def condition(visit: Visit, reader: Reader, filters: Filters) -> Condition:
    """Return which calls the filters leave, of those that this user may see."""
    parts, values = ["true"], dict[str, Any]()
    for name, column in _EQUAL.items():
        if asked := getattr(filters, name):
            parts.append(f"{column} = ${name}")
            values[name] = _person(visit, reader, asked) if name == "agent" else asked
    if filters.measure:
        parts.append(f"({MEASURES[filters.measure][1]})")
    if filters.simulated in ("0", "1"):
        parts.append("is_simulated" if filters.simulated == "1" else "NOT is_simulated")
    if filters.first:
        parts.append("started_at >= $first")
        values["first"] = filters.first
    if filters.last:
        parts.append("started_at < $past")
        values["past"] = filters.last + timedelta(days=1)
    if not visit.user.may(Right.ALL_CALLS):
        parts.append("agent_id = $own")
        values["own"] = visit.user.agent_id
    return Condition(" AND ".join(parts), values, bool(filters.measure))


def _person(visit: Visit, reader: Reader, asked: str) -> str:
    """The agent that is meant: a researcher knows pseudonyms only."""
    if visit.user.may(Right.NAMES):
        return asked
    return next((name for name in reader.agents() if visit.name_of(name) == asked), "")


def list_calls(visit: Visit) -> Response:
    """Show the list of calls, newest first, or the places where a phrase was said."""
    with visit.site.reading(reviews=True) as reader:
        filters = filters_of(visit, reader)
        where = condition(visit, reader, filters)
        hits: list[Hit] = []
        rows: list[Row] = []
        after = problem = None
        if filters.phrase:
            try:
                hits = _hits(visit, reader, filters, where)
            except QueryError as e:
                problem = str(e)
        else:
            rows, after = _page_of_calls(visit, reader, filters, where)
        ids = [row["call_id"] for row in rows]
        shown = Condition("calls.call_id IN $ids", {"ids": ids})
        rows = corrected_rows(rows, corrections(reader, "calls.call_id", shown), "call_id")
        is_empty = not (rows or hits)
        return visit.page(
            "calls.html",
            reader,
            filters=filters,
            rows=rows_for(visit, rows),
            hits=hits,
            count=_count(reader, where) if rows else 0,
            most_counted=MOST_COUNTED,
            most_hits=_MOST_HITS,
            simulated=_simulated(reader, hits) if hits else set(),
            problem=problem,
            named=_named_so(visit, reader, filters) if filters.phrase else [],
            elsewhere=None if filters.phrase else other_days(visit, reader, filters),
            missed=missed_feelings(visit, reader, shown),
            uncorrected=uncorrected_feelings(reader, rows),
            scores=_scores(visit, reader, ids),
            forms=forms(visit.site.warehouse.path),
            has_both=has_both(reader),
            next_link=_next_link(filters, after),
            choices=_choices(visit, reader, filters),
            measures=MEASURES,
            no_rate_reason=no_rate_reason,
            reasons=_why_nothing(visit, reader, filters) if is_empty else [],
            total=reader.value(f"SELECT calls FROM {reader.kept('call_extent', _EXTENT)}"),
        )


def _count(reader: Reader, where: Condition) -> int:
    """Return how many calls the filters leave; one more than is told where there are more."""
    is_narrow = not where.reads_measures
    kept = ("call_keys", _KEYS) if is_narrow else ("measured_calls", _MEASURED)
    sql = f"SELECT 1 FROM {reader.kept(*kept)} WHERE {where.sql} LIMIT {MOST_COUNTED + 1}"
    return int(reader.value(f"SELECT count(*) FROM ({sql})", where.values))


def export_calls(visit: Visit) -> Response:
    """Send the calls that the filters leave as CSV, or as a workbook; in the order of the list."""
    with visit.site.reading(reviews=True) as reader:
        filters = filters_of(visit, reader)
        if filters.phrase:
            raise QueryError("the list of calls is exported without a phrase; remove it first")
        where = condition(visit, reader, filters)
        column = SORTS[filters.sort.removeprefix("-") or "began"][0]
        way = "DESC" if filters.sorted_by_way() == "descending" else "ASC"
        rows = reader.rows(
            f"SELECT {_COLUMNS} FROM call_summary WHERE {where.sql}"
            f" ORDER BY {column} {way} NULLS LAST, call_id DESC LIMIT {_MOST_EXPORTED + 1}",
            where.values,
        )
        if len(rows) > _MOST_EXPORTED:
            raise QueryError(
                f"more than {_MOST_EXPORTED} calls match; choose fewer days, or one queue or agent"
            )
        changed = corrections(reader, "calls.call_id", where)
    shown = rows_for(visit, corrected_rows(rows, changed, "call_id"))
    names = exported_columns()
    table = [
        [
            *((row | {"no_rate_reason": no_rate_reason(row)})[name] for name in names[:-2]),
            *((row["corrected"] or {}).get(part) for part in ("answered", "answerable")),
        ]
        for row in shown
    ]
    visit.note("exported", detail=f"calls, {len(rows)}: {urlencode(filters.query)}"[:_LONGEST_NOTE])
    return table_file(visit, "calls", names, table)


def exported_columns() -> list[str]:
    """Return the columns of an exported list: of the calls, then of what review changes."""
    columns = _EXPORTED.replace("\n", " ").replace(" ", "").split(",")
    return [*columns, "answered_by_review", "answerable_by_review"]


def no_rate_reason(row: Row) -> str | None:
    """Return why a call has no answered rate; None where it has one."""
    if row["answered_rate"] is not None:
        return None
    reason = row["reason"] if row["status"] != "analyzed" else row["no_ledger_reason"]
    if reason or row["opportunities"] is None:
        return reason_words(reason) or "cannot be said"
    found = row["opportunities"] > 0
    return "no feeling that could be answered was found" if found else "no feeling was recognised"


def _scores(visit: Visit, reader: Reader, ids: list[str]) -> dict[str, list[Evaluation]]:
    """Return the evaluations of calls that this user may see, by call."""
    sql = "SELECT call_id, landing_key FROM calls WHERE call_id IN $ids"
    keys = {row["landing_key"]: row["call_id"] for row in reader.rows(sql, {"ids": ids})}
    found: dict[str, list[Evaluation]] = {}
    for each in evaluations_of(visit, keys):
        found.setdefault(keys[each.latest["landing_key"]], []).append(each)
    return found


def _page_of_calls(
    visit: Visit, reader: Reader, filters: Filters, where: Condition
) -> tuple[list[Row], tuple[str, str] | None]:
    """One page of calls and the key of its last row, if more follow: (value sorted by, call id)."""
    sql, values = where.sql, dict(where.values)
    name = filters.sort.removeprefix("-") or "began"
    column, is_down = SORTS[name][0], filters.sorted_by(name) == "descending"
    if after := visit.asked("after"):
        at, _, last_id = after.partition("|")
        try:
            if not last_id:
                raise ValueError
            values["last_id"] = last_id
            values |= {"at": _sorted_value(name, at)} if at else {}
        except ValueError:
            raise QueryError("after: not the key of a row; open the list again") from None
        if at:
            sql += (
                f" AND ({column} IS NULL OR {column} {'<' if is_down else '>'} $at"
                f" OR ({column} = $at AND call_id < $last_id))"
            )
        else:
            sql += f" AND {column} IS NULL AND call_id < $last_id"
    order = f"{column} {'DESC' if is_down else 'ASC'} NULLS LAST, call_id DESC"
    # Which calls is decided first, by as few columns as that takes; of the others only those rows
    # are read that hold them.
    is_narrow = name == "began" and not where.reads_measures
    if is_narrow:
        narrow = reader.kept("call_keys", _KEYS)
    else:
        narrow = reader.kept("measured_calls", _MEASURED)
    found = reader.rows(
        f"SELECT call_id FROM {narrow} WHERE {sql} ORDER BY {order} LIMIT {PAGE_ROWS + 1}", values
    )
    if not found:
        return [], None
    rows = reader.rows(
        f"SELECT {_COLUMNS} FROM call_summary WHERE call_id IN $ids ORDER BY {order}",
        {"ids": [row["call_id"] for row in found]},
    )
    if len(rows) <= PAGE_ROWS:
        return rows, None
    last = rows[PAGE_ROWS - 1]
    at = last[column]
    key = "" if at is None else at.isoformat() if isinstance(at, datetime) else repr(float(at))
    return rows[:PAGE_ROWS], (key, last["call_id"])


def _sorted_value(name: str, text: str) -> datetime | float:
    """Return the value that an address carries. Raises ValueError for none."""
    return datetime.fromisoformat(text) if name == "began" else float(text)


def list_unanswered(visit: Visit) -> Response:
    """Show the feelings that were left unanswered, the worst first: of the last week with calls,
    unless other days are asked for.
    """
    is_newest = visit.asked("order") == "newest"
    with visit.site.reading(reviews=True) as reader:
        asked = filters_of(visit, reader, "/feelings", usual_days=7)
        filters = replace(asked, measure="", phrase="", sort="")
        where = condition(visit, reader, filters)
        order = _NEWEST if is_newest else WORST_FIRST
        calls = _OF_CALLS if is_newest or where.sql != "true" else ""  # a join of all takes long
        sql = _UNANSWERED.format(calls=calls, where=where.sql, order=order, rows=_MOST_FEELINGS + 1)
        rows = with_moments(reader, reader.rows(sql, where.values))
        said = verdicts(visit, reader, rows)
        shown = sorted(rows[:_MOST_FEELINGS], key=lambda row: _is_overruled(row, said))
        return visit.page(
            "feelings.html",
            reader,
            has_both=has_both(reader),
            filters=filters,
            is_newest=is_newest,
            rows=rows_for(visit, shown),
            elsewhere=other_days(visit, reader, asked),
            has_more=len(rows) > _MOST_FEELINGS,
            verdicts=said,
            choices=_choices(visit, reader, filters),
        )


def _is_overruled(row: Row, said: dict[tuple[str, int], Row]) -> bool:
    """Return whether listeners say that a row of the ledger is wrong."""
    return said.get((row["call_id"], row["opportunity_index"]), {}).get("verdict") == "wrong"


@dataclass(frozen=True)
class OtherDays:
    """How many calls are not in the days that a page chose by itself, and the link to all."""

    undated: int
    earlier: int
    link: str


def other_days(visit: Visit, reader: Reader, filters: Filters) -> OtherDays | None:
    """Return which calls the days of a page leave out that nobody asked for; None where none."""
    if filters.all_days or any(visit.asked(name) for name in ("from", "to", "days")):
        return None
    everywhere = replace(filters, first=None, last=None, all_days=True)
    where = condition(visit, reader, everywhere)
    kept = ("measured_calls", _MEASURED) if where.reads_measures else ("call_keys", _KEYS)
    (row,) = reader.rows(
        "SELECT count_if(started_at IS NULL) AS undated, count_if(started_at < $begun) AS earlier"
        f" FROM {reader.kept(*kept)} WHERE {where.sql}",
        where.values | {"begun": filters.first},
    )
    if not (row["undated"] or row["earlier"]):
        return None
    return OtherDays(row["undated"], row["earlier"], everywhere.link())


def _named_so(visit: Visit, reader: Reader, filters: Filters) -> list[str]:
    """Return the calls, of all days, whose name contains what was searched for."""
    where = condition(visit, reader, Filters(all_days=True))
    sql = (
        f"SELECT call_id FROM calls WHERE {where.sql} AND contains(lower(call_id), lower($name))"
        f" ORDER BY call_id LIMIT {_MOST_NAMED}"
    )
    return [row["call_id"] for row in reader.rows(sql, where.values | {"name": filters.phrase})]


def _next_link(filters: Filters, after: tuple[str, str] | None) -> str | None:
    if after is None:
        return None
    return f"/calls?{urlencode({**filters.query, 'after': f'{after[0]}|{after[1]}'})}"


def _hits(visit: Visit, reader: Reader, filters: Filters, where: Condition) -> list[Hit]:
    """The turns that hold the phrase, of the calls that the filters leave."""
    agent = where.values.get("own") or where.values.get("agent")
    scope = Scope(first_day=filters.first, last_day=filters.last, agent=agent)
    try:
        with reader.within_time() as con:
            found = best_hits(con, filters.phrase, scope=scope, limit=_MOST_HITS)
    except QueryError as e:
        raise QueryError(str(e).split(" (`warmline")[0]) from e
    ids = sorted({hit.call_id for hit in found})
    values = where.values | {"ids": ids}
    rows = reader.rows(
        f"SELECT call_id FROM call_summary WHERE call_id IN $ids AND {where.sql}",
        values,
    )
    left = {row["call_id"] for row in rows}
    phrase = filters.phrase.casefold()
    # Stems and single words are found, too: whoever said just this comes first.
    ordered = sorted(found, key=lambda hit: phrase not in (hit.turn.text or "").casefold())
    return [
        replace(hit, agent_id=visit.name_of(hit.agent_id), path="")
        for hit in ordered
        if hit.call_id in left
    ]


def _simulated(reader: Reader, hits: list[Hit]) -> set[str]:
    """Return the calls of these places that are simulated."""
    sql = "SELECT call_id FROM calls WHERE is_simulated AND call_id IN $ids"
    rows = reader.rows(sql, {"ids": sorted({hit.call_id for hit in hits})})
    return {row["call_id"] for row in rows}


def has_both(reader: Reader) -> bool:
    """Return whether there are simulated calls and real ones."""
    kinds = reader.kept("call_kinds", "SELECT DISTINCT is_simulated FROM calls")
    return int(reader.value(f"SELECT count(*) FROM {kinds}")) == 2


def _choices(visit: Visit, reader: Reader, filters: Filters) -> dict[str, list[tuple[str, int]]]:
    """Return the choices of each filter, with how many of these days' calls each has."""
    days = Filters(first=filters.first, last=filters.last, all_days=filters.all_days)
    where = condition(visit, reader, days)
    if days.first or days.last:
        table = reader.kept("call_days", _DAYS)
    else:
        table = reader.kept("call_choices", _ALL_DAYS)
    names = [name for name in _EQUAL if name != "agent" or visit.user.may(Right.ALL_CALLS)]
    columns = [_EQUAL[name] for name in names]
    rows = reader.rows(
        f"SELECT {', '.join(columns)}, grouping({', '.join(columns)}) AS which,"
        f" sum(calls)::BIGINT AS calls FROM {table} WHERE {where.sql}"
        f" GROUP BY GROUPING SETS ({', '.join(f'({column})' for column in columns)})"
        f" ORDER BY calls DESC, {', '.join(columns)}",
        where.values,
    )
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    for row in rows:
        # A bit for each column that is not grouped by, the last column the lowest.
        (name,) = (n for i, n in enumerate(reversed(names)) if not row["which"] >> i & 1)
        if row[_EQUAL[name]] is not None and len(found[name]) < _MOST_CHOICES:
            value = str(row[_EQUAL[name]])
            shown = str(visit.name_of(value)) if name == "agent" else value
            found[name].append((shown, row["calls"]))
    return {name: sorted(values) for name, values in found.items()}


def _why_nothing(visit: Visit, reader: Reader, filters: Filters) -> list[tuple[str, int, str]]:
    """For each filter, how many calls there would be without it, and the link to them."""
    found = []
    for name, value, without in filters.active():
        if without.phrase:
            continue  # how often it was said elsewhere is for the search to say
        where = condition(visit, reader, without)
        calls = reader.value(f"SELECT count(*) FROM call_summary WHERE {where.sql}", where.values)
        found.append((f"without “{name} {value}”", calls, without.link()))
    return found
