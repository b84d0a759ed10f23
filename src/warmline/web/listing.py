"""Lists of calls, and of feelings left unanswered: filters that are links, page by page by key."""

from dataclasses import replace
from urllib.parse import urlencode

from starlette.responses import Response

from warmline.database import stemmer
from warmline.errors import QueryError
from warmline.query.search import Among, Hit, Scope, best_hits
from warmline.web.accounts import Right
from warmline.web.evidence import (
    WORST_FIRST,
    corrected_rows,
    corrections,
    is_overruled,
    missed_feelings,
    uncorrected_feelings,
    verdicts,
    with_moments,
)
from warmline.web.filters import (
    CALL_EXTENT,
    CALL_KEYS,
    EQUAL,
    MEASURED_CALLS,
    MEASURES,
    PAGE_ROWS,
    SORTS,
    Filters,
    after_row,
    condition,
    filters_of,
    has_both,
    keep_kind,
    key_of_row,
    other_days,
    sorted_calls,
    sorted_value,
)
from warmline.web.language import reason_words
from warmline.web.scorecards import Evaluation, evaluations_of, forms
from warmline.web.site import Visit, table_file
from warmline.web.sound import silent_among
from warmline.web.warehouse import Condition, Reader, Row, rows_for

_MOST_FEELINGS = 100
_MOST_HITS = 100
_MOST_NAMED = 10
_MOST_CHOICES = 30
#: So many calls are counted: the page says that there are more, and stays quick.
MOST_COUNTED = 1000
_MOST_EXPORTED = 100_000
_LONGEST_NOTE = 500
_COLUMNS = """call_id, started_at, status, reason, agent_id, agents, team, queue, contact_reason,
    duration_s, agent_talk_share, opportunities, answerable, answered, answered_rate, dead_air_s,
    agent_interruptions, no_ledger_reason, is_simulated"""
#: The same in an exported table, where a reason stands beside a rate that there is none of.
_EXPORTED = _COLUMNS.replace("no_ledger_reason", "no_rate_reason")
#: What filters can be set to, and how many calls each has: of one agent's calls, of those of each
#: day, and of all days together. `which` has a bit for each column not meant, the last one lowest.
_CHOICES = """
SELECT {days} is_simulated, grouping({columns}) AS which, coalesce({columns}) AS choice,
    count(*) AS calls
FROM calls WHERE {where} GROUP BY GROUPING SETS ({sets})
"""
_DAY = "started_at::DATE::TIMESTAMP AS started_at,"
#: Feelings that were left unanswered: of a day's calls few columns decide which are shown.
_UNANSWERED = """
WITH picked AS (
    SELECT o.call_no, o.opportunity_index
    FROM facts.opportunities AS o{calls}
    WHERE NOT o.answered AND {where}
    ORDER BY {order} LIMIT {rows}
)
SELECT
    calls.call_id, calls.call_no, calls.started_at, calls.agent_id, calls.agents,
    calls.queue, calls.is_simulated, calls.path, calls.redactions, o.opportunity_index,
    o.turn_index, o.kind, o.strength, o.probability, o.start_s, o.end_s, o.text, o.answer,
    o.answer_turn_index, o.answer_text
FROM picked
INNER JOIN calls ON calls.call_no = picked.call_no
INNER JOIN facts.opportunities AS o
    ON o.call_no = picked.call_no AND o.opportunity_index = picked.opportunity_index
ORDER BY {order}
"""
#: Of calls in which a phrase was said: how many agents speak, and whether it can be heard.
_CALLS_HIT = """
SELECT call_id, is_simulated, agents, path, redactions FROM calls WHERE call_id IN $ids
"""
#: What calls are called, as it is searched.
_NAMES = "SELECT call_id, lower(call_id) AS name, agent_id FROM calls"
_NAMED = """
SELECT call_id, started_at, agent_id, agents, queue, duration_s, is_simulated FROM calls
WHERE call_id IN $ids
"""
_SPACED = "SELECT count(*) AS calls FROM calls WHERE contains(call_id, ' ')"
_OF_CALLS = " INNER JOIN calls ON calls.call_no = o.call_no"
_ANY_FEELING = (
    f"SELECT count(*) FROM (SELECT 1 FROM facts.opportunities AS o{_OF_CALLS}"
    " WHERE {where} LIMIT 1)"
)
_NEWEST = "calls.started_at DESC NULLS LAST, calls.call_id, o.start_s"


def list_calls(visit: Visit) -> Response:
    """Show the list of calls, newest first, or the places where a phrase was said."""
    with visit.site.reading(reviews=True) as reader:
        filters = filters_of(visit, reader)
        where = condition(visit, reader, filters)
        hits: list[Hit] = []
        calls_hit: dict[str, Row] = {}
        rows: list[Row] = []
        after = problem = None
        if filters.phrase:
            try:
                hits, calls_hit = _hits(visit, reader, filters, where)
            except QueryError as e:
                problem = str(e)
        else:
            rows, after = _page_of_calls(visit, reader, filters, where)
        ids = [row["call_id"] for row in rows]
        shown = Condition("calls.call_id IN $ids", {"ids": ids})
        rows = corrected_rows(rows, corrections(reader, "calls.call_id", shown), "call_id")
        is_empty = not (rows or hits)
        shown_page = visit.page(
            "calls.html",
            reader,
            filters=filters,
            rows=rows_for(visit, rows),
            hits=hits,
            count=_count(reader, where) if rows else 0,
            most_counted=MOST_COUNTED,
            most_hits=_MOST_HITS,
            calls_hit=calls_hit,
            silent=silent_among(visit, list(calls_hit.values())),
            problem=problem,
            named=_named_so(visit, reader, filters) if filters.phrase else [],
            most_named=_MOST_NAMED,
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
            total=reader.value(
                "SELECT coalesce(sum(calls), 0)::BIGINT"
                f" FROM {reader.kept('call_extent', CALL_EXTENT)}"
            ),
        )
        return keep_kind(visit, shown_page)


def _count(reader: Reader, where: Condition) -> int:
    """Return how many calls the filters leave; one more than is told where there are more."""
    is_narrow = not where.reads_measures
    kept = ("call_keys", CALL_KEYS) if is_narrow else ("measured_calls", MEASURED_CALLS)
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
    if not ids:
        return {}
    sql = "SELECT call_id, landing_key FROM calls WHERE call_id IN $ids"
    keys = {row["landing_key"]: row["call_id"] for row in reader.rows(sql, {"ids": ids})}
    found: dict[str, list[Evaluation]] = {}
    for each in evaluations_of(visit, keys):
        found.setdefault(keys[each.latest["landing_key"]], []).append(each)
    return found


def _page_of_calls(
    visit: Visit, reader: Reader, filters: Filters, where: Condition
) -> tuple[list[Row], str | None]:
    """One page of calls and the key of its last row, if more follow."""
    sql, values = where.sql, dict(where.values)
    if after := visit.asked("after"):
        at, _, last_id = after.partition("|")
        try:
            if not last_id:
                raise ValueError
            key = sorted_value(filters, at) if at else None
        except ValueError:
            raise QueryError("after: not the key of a row; open the list again") from None
        later, of_row = after_row(filters, key, last_id)
        sql, values = f"{sql} AND {later}", values | of_row
    table, column, order = sorted_calls(reader, filters, where)
    found = reader.rows(
        f"SELECT call_id FROM {table} WHERE {sql} ORDER BY {order} LIMIT {PAGE_ROWS + 1}", values
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
    return rows[:PAGE_ROWS], key_of_row(last[column], last["call_id"])


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
        shown = sorted(
            rows[:_MOST_FEELINGS],
            key=lambda row: is_overruled(said.get((row["call_id"], row["opportunity_index"]))),
        )
        shown_page = visit.page(
            "feelings.html",
            reader,
            has_both=has_both(reader),
            filters=filters,
            is_newest=is_newest,
            rows=rows_for(visit, shown),
            silent=silent_among(visit, shown),
            elsewhere=other_days(visit, reader, asked),
            has_more=len(rows) > _MOST_FEELINGS,
            verdicts=said,
            has_calls=bool(rows) or _count(reader, where) > 0,
            has_feelings=bool(rows)
            or reader.value(_ANY_FEELING.format(where=where.sql), where.values),
            choices=_choices(visit, reader, filters),
        )
        return keep_kind(visit, shown_page)


def _named_so(visit: Visit, reader: Reader, filters: Filters) -> list[Row]:
    """Return the calls, of all days, whose name contains what was searched for: first the one
    that is called just so.
    """
    spaced = reader.kept("spaced_names", _SPACED)
    if " " in filters.phrase and not reader.value(f"SELECT calls FROM {spaced}"):
        return []  # of a million names, none is compared
    where = condition(visit, reader, Filters(all_days=True))
    sql = (
        f"SELECT call_id FROM {reader.kept('call_names', _NAMES)}"
        f" WHERE {where.sql} AND contains(name, lower($name))"
        f" ORDER BY name <> lower($name), call_id LIMIT {_MOST_NAMED}"
    )
    found = reader.rows(sql, where.values | {"name": filters.phrase})
    ids = [row["call_id"] for row in found]
    rows = reader.rows(_NAMED, {"ids": ids}) if ids else []
    return sorted(rows_for(visit, rows), key=lambda row: ids.index(row["call_id"]))


def _next_link(filters: Filters, after: str | None) -> str | None:
    if after is None:
        return None
    return f"/calls?{urlencode({**filters.query, 'after': after})}"


def _hits(
    visit: Visit, reader: Reader, filters: Filters, where: Condition
) -> tuple[list[Hit], dict[str, Row]]:
    """The turns that hold the phrase, of the calls that the filters leave; and these calls."""
    agent = where.values.get("own") or where.values.get("agent")
    scope = Scope(first_day=filters.first, last_day=filters.last, agent=agent)
    meant = where.sql
    if where.reads_measures:
        measured = reader.kept("measured_calls", MEASURED_CALLS)
        meant = f"calls.call_id IN (SELECT call_id FROM {measured} WHERE {where.sql})"
    among = Among(meant, where.values)
    try:
        with reader.within_time() as con, stemmer().cursor() as stems:
            found = best_hits(
                con, stems, filters.phrase, scope=scope, limit=_MOST_HITS, among=among
            )
    except QueryError as e:
        raise QueryError(str(e).split(" (`warmline")[0]) from e
    ids = sorted({hit.call_id for hit in found})
    rows = reader.rows(_CALLS_HIT, {"ids": ids}) if ids else []
    calls = {row["call_id"]: row for row in rows}
    phrase = filters.phrase.casefold()
    # Stems and single words are found, too: whoever said just this comes first.
    ordered = sorted(found, key=lambda hit: phrase not in (hit.turn.text or "").casefold())
    left = [replace(hit, agent_id=visit.name_of(hit.agent_id), path="") for hit in ordered]
    return left, calls


def _choices(visit: Visit, reader: Reader, filters: Filters) -> dict[str, list[tuple[str, int]]]:
    """Return the choices of each filter, with how many calls each has of these days and kind."""
    kind = Filters(first=filters.first, last=filters.last, simulated=filters.simulated)
    where = condition(visit, reader, kind)
    names = [name for name in EQUAL if name != "agent" or visit.user.may(Right.ALL_CALLS)]
    if visit.user.may(Right.ALL_CALLS):
        by_day = bool(kind.first or kind.last)
        name = "choices_by_day" if by_day else "choices"
        table, narrow = reader.kept(name, _choices_sql("true", _DAY if by_day else "")), where.sql
    else:
        table, narrow = f"({_choices_sql(where.sql)})", "true"
    rows = reader.rows(
        f"SELECT which, choice, sum(calls)::BIGINT AS calls FROM {table} WHERE {narrow}"
        " AND choice IS NOT NULL GROUP BY which, choice ORDER BY calls DESC, choice",
        where.values,
    )
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    for row in rows:
        (name,) = (n for i, n in enumerate(reversed(EQUAL)) if not row["which"] >> i & 1)
        if name in found and len(found[name]) < _MOST_CHOICES:
            value = str(row["choice"])
            shown = str(visit.name_of(value)) if name == "agent" else value
            found[name].append((shown, row["calls"]))
    return {name: sorted(values) for name, values in found.items()}


def _choices_sql(where: str, days: str = "") -> str:
    columns = list(EQUAL.values())
    day = "started_at::DATE, " if days else ""
    sets = ", ".join(f"({day}is_simulated, {column})" for column in columns)
    return _CHOICES.format(days=days, columns=", ".join(columns), where=where, sets=sets)


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
