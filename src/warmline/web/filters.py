"""Which calls a list has, in which order, and where one of them stands: filters that are links."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import Response

from warmline.errors import QueryError
from warmline.web.accounts import Right
from warmline.web.site import Visit
from warmline.web.warehouse import Condition, Reader

#: Rows of a page of the list.
PAGE_ROWS = 50
#: Days that a filter may name: periods before them and days after them are days, too.
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2200, 12, 31)

#: Conditions on measures, by the name that the address has: what it is called, and SQL.
MEASURES = {
    "unanswered": ("a feeling found was left unanswered", "answered < answerable"),
    "answered": ("every feeling found was answered", "answerable > 0 AND answered = answerable"),
    "no_feeling": ("no feeling was recognised", "opportunities = 0"),
    "no_rate": (
        "feelings answered: cannot be said",
        "status = 'analyzed' AND answered_rate IS NULL",
    ),
    "interrupted": ("the agent interrupted", "agent_interruptions > 0"),
    "dead_air": ("dead air of 5 s or more", "longest_dead_air_s >= 5"),
    "hold": ("on hold", "hold_s > 0"),
    "hostile": ("hostile words", "hostile > 0"),
    "offer": ("a misplaced offer", "misplaced_offers > 0"),
    "again": ("information asked for again", "reasks > 0"),
    "not-analyzed": (
        "could not be analyzed",
        "status IN ('no_speech', 'refused', 'failed')",
    ),
}
#: Which calls, by what the address has; where it has nothing, the real ones, if there are both.
SIMULATED = {"0": "real ones only", "1": "simulated ones only", "all": "real and simulated ones"}
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
#: The columns of a call that filters other than those on measures ask for.
_DECIDING = "call_id, started_at, agent_id, team, queue, contact_reason, is_simulated"
#: What decides which calls are on a page of the list, in its order.
CALL_KEYS = f"""
SELECT {_DECIDING} FROM calls ORDER BY {_ORDER}
"""
#: The same where measures decide, too.
MEASURED_CALLS = f"""
SELECT {_DECIDING}, status, duration_s,
    opportunities, answered, answerable, answered_rate, agent_interruptions,
    dead_air_s, longest_dead_air_s, hold_s, hostile, misplaced_offers, reasks
FROM call_summary ORDER BY {_ORDER}
"""
#: How many calls there are of each agent and kind, and the last day that has some. A call that is
#: said to begin after it was analyzed is misdated.
CALL_EXTENT = """
SELECT
    agent_id, is_simulated, count(*) AS calls,
    max(started_at) FILTER (started_at <= analyzed_at)::DATE AS last
FROM calls GROUP BY agent_id, is_simulated
"""
#: Says of a browser's session that real and simulated calls are listed together.
BOTH_COOKIE = "warmline_both"
#: Says of it that the report is of the simulated calls: a report never adds up both.
REPORT_COOKIE = "warmline_report"
#: The field of an address that says that somebody chose its calls, and did not just come by them.
CHOSEN = "chosen"
EQUAL = {"agent": "agent_id", "team": "team", "queue": "queue", "reason": "contact_reason"}


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
    #: Whether nobody asked for days, so that the page chose them.
    days_are_usual: bool = False

    @property
    def is_swapped(self) -> bool:
        """Return whether the first day is after the last, so that no day is between them."""
        return bool(self.first and self.last and self.first > self.last)

    @property
    def query(self) -> dict[str, str]:
        """Return the filters as fields of an address."""
        names = (*EQUAL, "measure", "phrase", "sort", "simulated")
        fields = {name: getattr(self, name) for name in names}
        fields |= {"from": str(self.first or ""), "to": str(self.last or "")}
        fields["days"] = "all" if self.all_days else ""
        return {name: value for name, value in fields.items() if value}

    def link(self, **changes: Any) -> str:
        """Return the address of the list with these filters changed."""
        fields = replace(self, **changes).query
        return f"{self.path}?{urlencode(fields)}" if fields else self.path

    def link_to_kind(self, simulated: str) -> str:
        """Return the address of the list of real calls, of simulated ones, or of both.

        Days that nobody asked for are those of the calls that are shown, so they may be others.
        """
        days: dict[str, Any] = {}
        if self.days_are_usual:
            days = {"first": None, "last": None, "all_days": False}
        return f"{self.link(simulated=simulated, **days)}&{CHOSEN}=1"

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


def filters_of(
    visit: Visit,
    reader: Reader,
    path: str = "/calls",
    usual_days: int = 28,
    *,
    may_have_both: bool = True,
) -> Filters:
    """Return the filters of an address; without days, the last four weeks (or so) with calls.

    Those are weeks with calls of the kind that is shown; where none of these has a date, it is all
    days. Raises QueryError naming a field that cannot be read.
    """
    names = (*EQUAL, "measure", "phrase", "sort", "simulated")
    asked = {name: visit.asked(name)[:200] for name in names}
    if asked["simulated"] not in SIMULATED or (asked["simulated"] == "all" and not may_have_both):
        is_mixed = visit.user.may(Right.ALL_CALLS) and has_both(reader)
        asked["simulated"] = _kept_kind(visit, may_have_both=may_have_both) if is_mixed else ""
    if asked["measure"] and asked["measure"] not in MEASURES:
        raise QueryError(f"measure: one of {', '.join(MEASURES)}")
    if asked["sort"] and asked["sort"].removeprefix("-") not in SORTS:
        raise QueryError(f"sort: one of {', '.join(SORTS)}, with - before it the other way round")
    first, last = _day(visit, "from"), _day(visit, "to")
    all_days = visit.asked("days") == "all" and not (first or last)
    where = condition(visit, reader, Filters(simulated=asked["simulated"]))
    extent = reader.kept("call_extent", CALL_EXTENT)
    newest = reader.value(f"SELECT max(last) FROM {extent} WHERE {where.sql}", where.values)
    since = newest - timedelta(days=usual_days - 1) if newest else None
    # Whoever comes back to a list has a link with its days.
    is_usual = not all_days and (first, last) in ((None, None), (since, newest))
    if is_usual:
        first, last, all_days = since, newest, newest is None
    return Filters(
        **asked, first=first, last=last, all_days=all_days, path=path, days_are_usual=is_usual
    )


def _kept_kind(visit: Visit, *, may_have_both: bool) -> str:
    """Return which calls a browser was asked to keep showing: the real ones, if it was not."""
    if visit.request.method != "GET":
        return "0"
    if may_have_both:
        return "all" if BOTH_COOKIE in visit.request.cookies else "0"
    return "1" if REPORT_COOKIE in visit.request.cookies else "0"


def keep_kind(visit: Visit, response: Response) -> Response:
    """Keep, until the browser is closed, that real and simulated calls are listed together.

    It is kept when somebody asks for both, and until they choose the real ones: a link that leads
    from a number to its calls, which are real ones, changes nothing.
    """
    asked, is_chosen = visit.asked("simulated"), bool(visit.asked(CHOSEN))
    return _keep(visit, response, BOTH_COOKIE, asked == "all", asked == "0" and is_chosen)


def keep_kind_of_report(visit: Visit, response: Response) -> Response:
    """Keep, until the browser is closed, that the report is of the simulated calls.

    It is kept when somebody asks for these, and until they ask for the real ones.
    """
    asked = visit.asked("simulated")
    return _keep(visit, response, REPORT_COOKIE, asked == "1", asked == "0")


def _keep(visit: Visit, response: Response, name: str, begins: bool, ends: bool) -> Response:
    if begins:
        response.set_cookie(name, "1", httponly=True, samesite="lax", secure=visit.site.is_secure)
    elif ends:
        response.delete_cookie(name)
    return response


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
    for name, column in EQUAL.items():
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


@dataclass(frozen=True)
class OtherDays:
    """How many calls are not in the days that a page chose by itself, and the link to all.

    `link` is None where the page chose all days, as there is no date to count back from.
    """

    undated: int
    earlier: int
    link: str | None


def other_days(visit: Visit, reader: Reader, filters: Filters) -> OtherDays | None:
    """Return which calls the days of a page leave out that nobody asked for; None where none."""
    if not filters.days_are_usual:
        return None
    everywhere = replace(filters, first=None, last=None, all_days=True)
    where = condition(visit, reader, everywhere)
    kept = ("measured_calls", MEASURED_CALLS) if where.reads_measures else ("call_keys", CALL_KEYS)
    (row,) = reader.rows(
        "SELECT count_if(started_at IS NULL) AS undated, count_if(started_at < $begun) AS earlier"
        f" FROM {reader.kept(*kept)} WHERE {where.sql}",
        where.values | {"begun": filters.first},
    )
    if not (row["undated"] or row["earlier"]):
        return None
    if filters.all_days:
        return OtherDays(row["undated"], 0, None)
    return OtherDays(row["undated"], row["earlier"], everywhere.link())


def has_both(reader: Reader) -> bool:
    """Return whether there are simulated calls and real ones."""
    kinds = reader.kept("call_kinds", "SELECT DISTINCT is_simulated FROM calls")
    return int(reader.value(f"SELECT count(*) FROM {kinds}")) == 2


def sorted_value(filters: Filters, text: str) -> datetime | float:
    """Return the value that an address carries of a row. Raises ValueError for none."""
    is_day = filters.sort.removeprefix("-") in ("", "began")
    return datetime.fromisoformat(text) if is_day else float(text)


def sorted_calls(reader: Reader, filters: Filters, where: Condition) -> tuple[str, str, str]:
    """Return the table that decides a list, the column it is sorted by, and SQL for its order.

    Which calls are on a page is decided by as few columns as that takes.
    """
    name = filters.sort.removeprefix("-") or "began"
    column, way = SORTS[name][0], "DESC" if filters.sorted_by(name) == "descending" else "ASC"
    is_narrow = name == "began" and not where.reads_measures
    kept = ("call_keys", CALL_KEYS) if is_narrow else ("measured_calls", MEASURED_CALLS)
    return reader.kept(*kept), column, f"{column} {way} NULLS LAST, call_id DESC"


def after_row(filters: Filters, at: object | None, call_id: str) -> tuple[str, dict[str, Any]]:
    """Return the condition of the rows that come after one, by what it is sorted by and its id."""
    name = filters.sort.removeprefix("-") or "began"
    column, is_down = SORTS[name][0], filters.sorted_by(name) == "descending"
    if at is None:
        return f"({column} IS NULL AND call_id < $last_id)", {"last_id": call_id}
    later = (
        f"({column} IS NULL OR {column} {'<' if is_down else '>'} $at"
        f" OR ({column} = $at AND call_id < $last_id))"
    )
    return later, {"at": at, "last_id": call_id}


def key_of_row(at: Any, call_id: str) -> str:
    """Return what an address says of the last row of a page."""
    if at is None:
        return f"|{call_id}"
    return f"{at.isoformat() if isinstance(at, datetime) else repr(float(at))}|{call_id}"


@dataclass(frozen=True)
class PlaceInList:
    """Where a call stands in a list: which of how many, the one after it, and the way back.

    `number` is None where the call is not in the list any more; `query` is the list's own address.
    """

    number: int | None
    calls: int
    next_call_id: str | None
    link: str
    query: str


def place_in_list(visit: Visit, reader: Reader, call_id: str) -> PlaceInList | None:
    """Return where a call stands in the list that somebody came from; None where they did not.

    Raises QueryError naming a field of the list that cannot be read.
    """
    query = list_asked(visit)
    if not query:
        return None
    asked = visit.asking(dict(parse_qsl(query)))
    filters = replace(filters_of(asked, reader), phrase="")
    where = condition(visit, reader, filters)
    table, column, order = sorted_calls(reader, filters, where)
    calls = int(reader.value(f"SELECT count(*) FROM {table} WHERE {where.sql}", where.values))
    link = f"/calls?{urlencode(filters.query)}"
    rows = reader.rows(
        f"SELECT {column} AS at, {where.sql} AS is_in FROM {table} WHERE call_id = $id",
        where.values | {"id": call_id},
    )
    if not rows:
        return PlaceInList(None, calls, None, link, query)
    later, values = after_row(filters, rows[0]["at"], call_id)
    following = reader.rows(
        f"SELECT call_id, count(*) OVER () AS calls FROM {table}"
        f" WHERE {where.sql} AND {later} ORDER BY {order} LIMIT 1",
        where.values | values,
    )
    number = calls - (following[0]["calls"] if following else 0) if rows[0]["is_in"] else None
    if number is not None and (pages := (number - 1) // PAGE_ROWS):
        (last,) = reader.rows(
            f"SELECT call_id, {column} AS at FROM {table} WHERE {where.sql} ORDER BY {order}"
            f" LIMIT 1 OFFSET {pages * PAGE_ROWS - 1}",
            where.values,
        )
        link = f"{link}&{urlencode({'after': key_of_row(last['at'], last['call_id'])})}"
    next_id = following[0]["call_id"] if following else None
    return PlaceInList(number, calls, next_id, f"{link}#call-{quote(call_id)}", query)


def list_asked(visit: Visit) -> str:
    """Return the address of the list that somebody came from; empty if from elsewhere."""
    return visit.asked(".list") or visit.asked("list")
