"""Load outcomes: read, stored, published, and matched to calls as far as possible."""

import difflib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pyarrow as pa

from warmline.analysis import MetricDefinition
from warmline.database import open_for_reading
from warmline.errors import MetadataError
from warmline.landing import LandingError, left_out
from warmline.landing.feedback import (
    OUTCOME_SCHEMA,
    OutcomeKey,
    OutcomeLine,
    outcome_files,
    read_outcomes,
    write_outcomes,
)
from warmline.recordings.fields import as_text, csv_rows, is_not_given, read_moment
from warmline.warehouse.publishing import publish

# Read a CSV file of outcomes, one per line (long) or one per column (wide).

#: Names that people give to one outcome.
_NAMES = {
    **dict.fromkeys(("churn", "churned", "cancelled", "canceled", "retention"), "retained"),
    **dict.fromkeys(("nps_score", "net_promoter_score"), "nps"),
    **dict.fromkeys(("csat_score", "customer_satisfaction"), "csat"),
    **dict.fromkeys(("stars", "star_rating", "review"), "review_stars"),
    **dict.fromkeys(("repurchase", "repurchased", "repeat_purchases"), "repeat_purchase"),
}
_TURNED_ROUND = frozenset({"churn", "churned", "cancelled", "canceled"})
#: What values of a known outcome may be: least, most, and whether only the two ends.
_BOUNDS = {
    "retained": (0.0, 1.0, True),
    "nps": (0.0, 10.0, False),
    "review_stars": (0.0, 5.0, False),
    "repeat_purchase": (0.0, math.inf, False),
}
_WORDS = {
    **dict.fromkeys(("true", "yes", "y"), 1.0),
    **dict.fromkeys(("false", "no", "n"), 0.0),
}
_FATES = {"retained": 1.0, "stayed": 1.0, "churned": 0.0, "left": 0.0, "cancelled": 0.0}
_SHOWN = 40
_THOUSANDS = 3  # digits
#: From here on a column's name is taken for another that was mistyped.
_LIKE = 0.85


def snake(text: str) -> str:
    """Return a name in lower_snake_case, as it is stored."""
    return re.sub(r"\W+", "_", text.strip()).strip("_").lower()


def outcome_name(text: str) -> str:
    """Return the outcome that a name stands for: `Churned` is about being `retained`."""
    name = snake(text)
    return _NAMES.get(name, name)


def is_fate(text: str) -> bool:
    """Return whether a text itself states an outcome: churned, retained."""
    return snake(text) in _FATES


def read_value(said_name: str, text: str) -> float | str:
    """Return the value of an outcome as a number, or as text where it is none.

    `churned` is inverted into `retained`: 1 stays, 0 leaves. Raises ValueError for a value that the
    outcome cannot have.
    """
    name, word = outcome_name(said_name), _with_point(text.strip().lower())
    if name == "retained" and word in _FATES:
        return _FATES[word]
    number = _WORDS.get(word, _number(word))
    if name not in _BOUNDS:
        return text.strip() if number is None else number
    least, most, ends_only = _BOUNDS[name]
    between = "0 or 1 (no or yes)" if ends_only else f"between {least:g} and {most:g}"
    if number is None:
        wanted = between if ends_only else "a number"
        raise ValueError(f"{text.strip()[:_SHOWN]!r} is not {wanted}")
    if not least <= number <= most or (ends_only and number not in (least, most)):
        raise ValueError(f"{number:g} is not {between}")
    return 1.0 - number if snake(said_name) in _TURNED_ROUND else number


def _with_point(text: str) -> str:
    """Return a number with a decimal point where it has a comma, as in German spreadsheets.

    Raises ValueError where the comma may as well stand for thousands; any other text stays.
    """
    if not (found := re.fullmatch(r"([+-]?\d+),(\d+)", text)):
        return text
    if len(found[2]) == _THOUSANDS:
        raise ValueError(f"{text!r}: its comma could separate decimals or thousands; write a point")
    return f"{found[1]}.{found[2]}"


def read_day(text: str, zone: tzinfo) -> tuple[datetime, bool]:
    """Return the time, UTC without a zone, and whether only the day is given. Raises ValueError."""
    at, is_whole_day = read_moment(text, zone)
    return at.replace(tzinfo=None), is_whole_day


def _number(text: str) -> float | None:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_COLUMNS = {
    "customer_id": ("customer_id", "customer", "customerid", "client_id"),
    "call_id": ("call_id", "call", "callid"),
    "date": ("date", "day", "occurred_at", "outcome_date", "at", "time", "timestamp"),
    "outcome": ("outcome", "outcome_name", "name", "measure"),
    "value": ("value", "outcome_value", "score"),
}


@dataclass(frozen=True)
class OutcomeTable:
    """The outcomes of a file. `lines` includes those with a problem.

    `empty` counts cells without a value: it is unknown, not zero. `ignored` are columns of a long
    table that it does not use.
    """

    path: Path
    lines: tuple[OutcomeLine, ...]
    rows: int
    empty: int
    ignored: tuple[str, ...]

    @property
    def good(self) -> tuple[OutcomeLine, ...]:
        """Return the lines that could be read."""
        return tuple(line for line in self.lines if line.problem is None)

    @property
    def problems(self) -> tuple[OutcomeLine, ...]:
        """Return the lines that could not be read."""
        return tuple(line for line in self.lines if line.problem is not None)


@dataclass(frozen=True)
class _Heading:
    """The layout of a row: positions of the known columns, and of outcomes by name."""

    columns: tuple[str, ...]
    places: dict[str, int]
    wide: dict[int, str]
    ignored: tuple[str, ...]


def read_outcome_table(csv_path: Path, zone: tzinfo) -> OutcomeTable:
    """Read a CSV of outcomes: `customer_id` (or `call_id`), `date`, and the outcomes.

    Long: columns `outcome` and `value`; `outcome` alone where it says churned or retained. Wide:
    every other column is an outcome. Days and times without a zone are in `zone`. A line that
    cannot be read has a `problem` that names the column. Raises MetadataError, one line, for a
    header or a file that cannot be used.
    """
    rows = csv_rows(csv_path)
    heading = _heading(csv_path, rows[0][0], [as_text(name) for name in rows[0][1]])
    lines: list[OutcomeLine] = []
    count = empty = 0
    for number, values in rows[1:]:
        cells = [as_text(value) for value in values]
        if not any(cells):
            continue
        count += 1
        found = list(_lines(heading, number, cells))
        read = [_read(heading, line, cells, place, zone) for line, place in found if place != -1]
        lines += [line for line, place in found if place == -1]
        empty += sum(line is None for line in read)
        lines += [line for line in read if line is not None]
    if not count:
        raise MetadataError(f"{csv_path}: a heading, but no lines below it")
    called = _columns_of_outcomes(heading)
    checked = _without_contradictions(_of_one_kind(lines, called), called)
    return OutcomeTable(csv_path, tuple(checked), count, empty, heading.ignored)


def _heading(csv_path: Path, line: int, columns: Sequence[str]) -> _Heading:
    place = f"{csv_path}, line {line}"
    names = [snake(column) for column in columns]
    for index, name in enumerate(names):
        if not name:
            raise MetadataError(f"{place}: column {index + 1} has no name")
        if name in names[:index]:
            raise MetadataError(f"{place}: two columns are called {columns[index]!r}")
    places = {
        key: names.index(name)
        for key, aliases in _COLUMNS.items()
        for name in aliases[::-1]
        if name in names
    }
    if "outcome" not in places:
        places.pop("value", None)
    others = [i for i in range(len(names)) if i not in places.values()]
    is_long = "outcome" in places
    said = f"there are {', '.join(columns[:12])}"
    if not places.keys() & {"customer_id", "call_id"}:
        raise MetadataError(f"{place}: no column 'customer_id' or 'call_id'; {said}")
    if not places.keys() & {"date", "call_id"}:
        raise MetadataError(f"{place}: no column 'date'; {said}")
    if not (is_long or others):
        raise MetadataError(
            f"{place}: no outcome: neither columns 'outcome' and 'value' nor a column "
            f"that is named after one (retained, nps, ...); {said}"
        )
    wide = {} if is_long else {i: columns[i] for i in others}
    ignored = tuple(columns[i] for i in others) if is_long else ()
    return _Heading(tuple(columns), places, wide, ignored)


def _lines(
    heading: _Heading, number: int, cells: Sequence[str]
) -> Iterator[tuple[OutcomeLine, int]]:
    """Yield the raw outcomes of a row, each with the column of its value; -1 when there is none."""
    if len(cells) != len(heading.columns):
        why = f"{len(cells)} values for {len(heading.columns)} columns"
        yield OutcomeLine(number, "", problem=why), -1
        return
    for place, column in heading.wide.items():
        yield OutcomeLine(number, column), place
    if heading.wide:
        return
    name = cells[heading.places["outcome"]]
    if is_not_given(name):
        yield OutcomeLine(number, "", problem="column 'outcome': empty"), -1
    elif "value" in heading.places:
        yield OutcomeLine(number, name), heading.places["value"]
    elif is_fate(name):
        yield OutcomeLine(number, "retained", text=name), heading.places["outcome"]
    else:
        why = f"column 'outcome': {name[:40]!r} needs a value; add a column 'value'"
        yield OutcomeLine(number, outcome_name(name), problem=why), -1


def _read(
    heading: _Heading, line: OutcomeLine, cells: Sequence[str], place: int, zone: tzinfo
) -> OutcomeLine | None:
    """Return one outcome with its value, customer or call, and time; None for an empty cell."""
    if is_not_given(cells[place]):
        return None
    known = {
        key: None if is_not_given(cells[where]) else cells[where]
        for key, where in heading.places.items()
    }
    blank = OutcomeLine(
        line.line, outcome_name(line.name), known.get("customer_id"), known.get("call_id")
    )
    try:
        column = heading.columns[place]
        value = read_value(line.name, cells[place])
        if not (blank.customer_id or blank.given_call_id):
            column = "customer_id" if "customer_id" in heading.places else "call_id"
            raise ValueError("empty: it must say whose outcome this is")
        column = heading.columns[heading.places["date"]] if "date" in heading.places else "date"
        at, is_whole_day = _when(known.get("date"), blank, zone)
    except ValueError as e:
        return replace(blank, problem=f"column {column!r}: {e}")
    read = replace(blank, occurred_at=at, is_whole_day=is_whole_day)
    return replace(read, value=value) if isinstance(value, float) else replace(read, text=value)


def _when(text: str | None, line: OutcomeLine, zone: tzinfo) -> tuple[datetime | None, bool]:
    if text:
        return read_day(text, zone)
    if not line.given_call_id:
        raise ValueError("empty: it must give the date, such as 2026-03-31")
    return None, False


def _columns_of_outcomes(heading: _Heading) -> Mapping[str, str]:
    """Return the column that says each outcome, as the file calls it; in a long table `value`."""
    if heading.wide:
        return {outcome_name(column): column for column in heading.wide.values()}
    place = heading.places.get("value", heading.places["outcome"])
    return defaultdict(lambda: heading.columns[place])


def _of_one_kind(lines: Sequence[OutcomeLine], called: Mapping[str, str]) -> list[OutcomeLine]:
    """Report texts among numbers: an outcome is a number in all lines or in none."""
    numbers = {line.name for line in lines if line.value is not None}
    return [
        replace(
            line,
            text=None,
            problem=f"column {called[line.name]!r}: {line.text[:_SHOWN]!r} is no number",
        )
        if line.text is not None and line.name in numbers
        else line
        for line in lines
    ]


def _without_contradictions(
    lines: Sequence[OutcomeLine], called: Mapping[str, str]
) -> list[OutcomeLine]:
    """Return the lines; all that contradict another become problems, as either may be wrong."""
    told: defaultdict[OutcomeKey, list[OutcomeLine]] = defaultdict(list)
    for line in lines:
        if not line.problem:
            told[line.key].append(line)
    checked = []
    for line in lines:
        others = [] if line.problem else told[line.key]
        unlike = [o for o in others if (o.value, o.text) != (line.value, line.text)]
        if unlike:
            why = f"not what line {unlike[0].line} says of the same day"
            line = replace(line, problem=f"column {called[line.name]!r}: {why}")
        checked.append(line)
    return checked


_KEY = ("customer_id", "given_call_id", "occurred_at", "is_whole_day", "name")

_MATCHES = """
SELECT coalesce(unmatched_reason, ''), count(*), count_if(coalesce(is_simulated, false))
FROM outcome_calls AS o
SEMI JOIN given ON o.name = given.name AND o.is_whole_day = given.is_whole_day
    AND o.customer_id IS NOT DISTINCT FROM given.customer_id
    AND o.given_call_id IS NOT DISTINCT FROM given.given_call_id
    AND o.occurred_at IS NOT DISTINCT FROM given.occurred_at
GROUP BY ALL
"""


@dataclass(frozen=True)
class OutcomeReport:
    """The result of loading a file: every outcome in it is counted once.

    `new` were not known, `corrected` had another value before, `known` had this one, `repeated`
    stand in the file twice. `matched` and `unmatched` (reason -> how many) count the first three.
    `unreadable` are lines that were left out, `empty` cells without a value, `forgotten` lines of
    customers who were erased or opted out, which are not stored. `simulated` are matched to calls
    that were made by `warmline simulate`. `doubts` say what may not be as it was meant: words among
    numbers, days still to come, names that look mistyped.
    """

    source: str
    rows: int
    names: Mapping[str, int]
    new: int
    corrected: int
    known: int
    repeated: int
    matched: int
    unmatched: Mapping[str, int]
    unreadable: tuple[OutcomeLine, ...]
    empty: int
    ignored: tuple[str, ...]
    forgotten: int = 0
    simulated: int = 0
    doubts: tuple[str, ...] = ()


def load_outcomes(
    csv_path: Path,
    landing_dir: Path,
    warehouse: Path,
    definitions: Sequence[MetricDefinition],
    *,
    zone: tzinfo = UTC,
    skip_unreadable: bool = False,
) -> OutcomeReport:
    """Load the outcomes of a CSV file and publish them with the warehouse.

    A later file corrects an earlier one; loading a file again changes nothing. Raises
    MetadataError, naming line and column, for a file that cannot be used, or with a line that
    cannot be read unless `skip_unreadable`; WarehouseError when publishing fails.
    """
    table = read_outcome_table(csv_path, zone)
    _require_readable(table, skip_unreadable)
    table, forgotten = _without_forgotten(table, landing_dir)
    unique = {line.key: line for line in reversed(table.good)}
    before = _landed(landing_dir)
    states = Counter(_state(line, before) for line in unique.values())
    if states["new"] or states["corrected"]:
        fresh = [line for line in table.lines if _is_fresh(line, unique, before)]
        write_outcomes(fresh, landing_dir, source=csv_path.name, loaded_at=datetime.now(UTC))
    publish(landing_dir, warehouse, definitions)
    matches, simulated = _matches(warehouse, list(unique.values()))
    return OutcomeReport(
        source=csv_path.name,
        rows=table.rows,
        names=dict(Counter(line.name for line in unique.values())),
        new=states["new"],
        corrected=states["corrected"],
        known=states["known"],
        repeated=len(table.good) - len(unique),
        matched=matches.pop("", 0),
        unmatched=matches,
        unreadable=table.problems,
        empty=table.empty,
        ignored=table.ignored,
        forgotten=forgotten,
        simulated=simulated,
        doubts=tuple(_doubts(list(unique.values())[::-1], datetime.now(UTC))),
    )


def _doubts(lines: Sequence[OutcomeLine], now: datetime) -> Iterator[str]:
    """Yield what of these may not be what somebody meant, a line each."""
    known = [*_NAMES, *_BOUNDS]
    for name in dict.fromkeys(line.name for line in lines):
        close = difflib.get_close_matches(name, known, n=1, cutoff=_LIKE)
        if close and name not in known:
            yield f"{name}: an outcome of its own; was {close[0]} meant?"
        words = [line for line in lines if line.name == name and line.text is not None]
        if words:
            yield (
                f"{name}: {len(words)} in words, which no study can take as numbers; the first, in "
                f"line {words[0].line}, is {(words[0].text or '')[:_SHOWN]!r}"
            )
    today = now.replace(tzinfo=None)
    later = [line for line in lines if line.occurred_at and line.occurred_at > today]
    if later:
        first = min(later, key=lambda line: line.line)
        yield (
            f"{len(later)} of a day that is still to come, and taken as known now; the first, in "
            f"line {first.line}, is {first.occurred_at:%Y-%m-%d}"
        )


def _without_forgotten(table: OutcomeTable, landing_dir: Path) -> tuple[OutcomeTable, int]:
    """Return the table without lines of erased or opted-out customers, and how many those were."""
    out = left_out(landing_dir)
    if not out.names_customers:
        return table, 0
    kept = tuple(
        line
        for line in table.lines
        if not out.has_opted_out(line.customer_id)
        and not (
            line.occurred_at
            and out.was_erased_before(line.customer_id, line.occurred_at.replace(tzinfo=UTC))
        )
    )
    return replace(table, lines=kept), len(table.lines) - len(kept)


def _require_readable(table: OutcomeTable, skip_unreadable: bool) -> None:
    if not table.problems or (skip_unreadable and table.good):
        return
    first, more = table.problems[0], len(table.problems) - 1
    others = f" ({more} more)" if more else ""
    advice = "; nothing was loaded, --skip-unreadable loads the other lines" if table.good else ""
    raise MetadataError(f"{table.path}, line {first.line}, {first.problem}{others}{advice}")


_Said = tuple[float | None, str | None]


def _state(line: OutcomeLine, before: Mapping[OutcomeKey, _Said]) -> str:
    if line.key not in before:
        return "new"
    return "known" if before[line.key] == (line.value, line.text) else "corrected"


def _is_fresh(
    line: OutcomeLine, unique: Mapping[OutcomeKey, OutcomeLine], before: Mapping[OutcomeKey, _Said]
) -> bool:
    """Return whether a line has to be stored: it says something new, or it cannot be read."""
    if line.problem is not None:
        return True
    return unique[line.key] is line and _state(line, before) != "known"


def _landed(landing_dir: Path) -> dict[OutcomeKey, _Said]:
    """Return the outcomes stored before, the newest value of each."""
    known: dict[OutcomeKey, _Said] = {}
    tables = []
    for file in outcome_files(landing_dir):
        try:
            tables.append(read_outcomes(landing_dir / file.name).to_pydict())
        except LandingError:
            continue  # a damaged file is reported by every publishing
    for table in sorted(tables, key=lambda t: t["loaded_at"][:1]):
        keys = zip(*(table[column] for column in _KEY), strict=True)
        said = zip(table["value"], table["text"], table["problem"], strict=True)
        for key, (value, text, problem) in zip(keys, said, strict=True):
            if problem is None:
                known[key] = value, text
    return known


def _matches(warehouse: Path, lines: Sequence[OutcomeLine]) -> tuple[dict[str, int], int]:
    """Return how many of these outcomes have no call, by reason, and how many a simulated one.

    '' stands for those that have a call.
    """
    columns = list(zip(*(line.key for line in lines), strict=True)) or [()] * len(_KEY)
    given = pa.table(
        [
            pa.array(c, type=OUTCOME_SCHEMA.field(k).type)
            for k, c in zip(_KEY, columns, strict=True)
        ],
        names=list(_KEY),
    )
    with open_for_reading(warehouse) as con:
        con.register("given", given)
        rows = con.execute(_MATCHES).fetchall()
    return {str(why): int(n) for why, n, _ in rows}, sum(int(n) for *_, n in rows)
