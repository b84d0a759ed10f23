"""Load outcomes: read, stored, published, and matched to calls as far as possible."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pyarrow as pa

from warmline.database import open_for_reading
from warmline.errors import MetadataError
from warmline.landing import left_out
from warmline.landing.outcomes import (
    SCHEMA,
    Key,
    OutcomeLine,
    outcome_files,
    read_outcomes,
    write_outcomes,
)
from warmline.metrics import MetricDefinition
from warmline.outcomes.table import OutcomeTable, read_outcome_table
from warmline.warehouse.publishing import publish

_KEY = ("customer_id", "given_call_id", "occurred_at", "is_whole_day", "name")

_MATCHES = """
SELECT coalesce(unmatched_reason, ''), count(*)
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
    customers who were erased or opted out, which are not stored.
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
    matches = _matches(warehouse, list(unique.values()))
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


def _state(line: OutcomeLine, before: Mapping[Key, _Said]) -> str:
    if line.key not in before:
        return "new"
    return "known" if before[line.key] == (line.value, line.text) else "corrected"


def _is_fresh(
    line: OutcomeLine, unique: Mapping[Key, OutcomeLine], before: Mapping[Key, _Said]
) -> bool:
    """Return whether a line has to be stored: it says something new, or it cannot be read."""
    if line.problem is not None:
        return True
    return unique[line.key] is line and _state(line, before) != "known"


def _landed(landing_dir: Path) -> dict[Key, _Said]:
    """Return the outcomes stored before, the newest value of each."""
    known: dict[Key, _Said] = {}
    tables = []
    for file in outcome_files(landing_dir):
        try:
            tables.append(read_outcomes(landing_dir / file.name).to_pydict())
        except (OSError, ValueError, pa.ArrowException):
            continue  # a damaged file is reported by every publishing
    for table in sorted(tables, key=lambda t: t["loaded_at"][:1]):
        keys = zip(*(table[column] for column in _KEY), strict=True)
        said = zip(table["value"], table["text"], table["problem"], strict=True)
        for key, (value, text, problem) in zip(keys, said, strict=True):
            if problem is None:
                known[key] = value, text
    return known


def _matches(warehouse: Path, lines: Sequence[OutcomeLine]) -> dict[str, int]:
    """Return how many of these outcomes have no call, by reason; '' for those that have one."""
    columns = list(zip(*(line.key for line in lines), strict=True)) or [()] * len(_KEY)
    given = pa.table(
        [pa.array(c, type=SCHEMA.field(k).type) for k, c in zip(_KEY, columns, strict=True)],
        names=list(_KEY),
    )
    with open_for_reading(warehouse) as con:
        con.register("given", given)
        return {str(why): int(n) for why, n in con.execute(_MATCHES).fetchall()}
