"""Search what was said: the turns that contain the words, best first, and those around them.

Ranked by BM25 (Robertson and Zaragoza 2009) over all turns, with words reduced to their stems. The
index is the warehouse's own (see `warehouse.marts`); counts for the ranking are made at query time.
32#: k = 1.2 and b = 0.75, as usual. Every term is looked up by itself, which skips most of the
table. 59#: Exact matches come first; `looked_at` tells whether there may be more beyond the
candidates.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmline.errors import QueryError
from warmline.query.questions import DEFAULT_TIMEOUT_S, literal

if TYPE_CHECKING:
    import duckdb

_FIRST_CANDIDATES = 1000

_TERMS = """
WITH asked AS (SELECT DISTINCT unnest(words_said({phrase})) AS word)
SELECT DISTINCT stem(word, 'english') AS term, terms.term_id
FROM asked
ANTI JOIN search.stop_words USING (word)
LEFT JOIN search.terms AS terms ON terms.term = stem(word, 'english')
"""

#: k = 1.2 and b = 0.75, as usual. Every term is asked for by itself, which skips most of the table.
_CANDIDATES = """
WITH postings AS ({postings}),
size AS (SELECT sum(turns) AS turns, sum(terms) / sum(turns) AS mean_terms FROM search.calls),
weights AS (
    SELECT term_id, ln((any_value(turns) - count(*) + 0.5) / (count(*) + 0.5) + 1) AS weight
    FROM postings CROSS JOIN size
    GROUP BY term_id
),
scored AS (
    SELECT
        call_no,
        turn_index,
        sum(weight * occurrences * 2.2
            / (occurrences + 1.2 * (0.25 + 0.75 * turn_terms / mean_terms))) AS score
    FROM postings INNER JOIN weights USING (term_id) CROSS JOIN size
    WHERE {role}
    GROUP BY call_no, turn_index
    HAVING count(*) >= {least}
)
SELECT call_no, turn_index, score, calls.started_at
FROM scored
INNER JOIN calls USING (call_no)
WHERE {filters}
ORDER BY score DESC, calls.started_at DESC, call_no, turn_index
LIMIT {limit}
"""
#: Those that say it come first; `looked_at` tells whether there may be more behind the candidates.
_VERBATIM = """
SELECT
    found.*,
    contains(
        ' ' || array_to_string(words_said(turns.text), ' ') || ' ',
        ' ' || array_to_string(words_said({phrase}), ' ') || ' ') AS is_verbatim,
    count(*) OVER () AS looked_at
FROM ({candidates}) AS found
INNER JOIN turns USING (call_no, turn_index)
ORDER BY is_verbatim DESC, score DESC, started_at DESC, call_no, turn_index
LIMIT {limit}
"""
_CALLS = """
SELECT call_no, call_id, started_at, agent_id, queue, path FROM calls WHERE call_no IN ({calls})
"""
_TURNS = """
SELECT call_no, turn_index, role, start_s, end_s, text
FROM turns
WHERE call_no IN ({calls})
ORDER BY call_no, turn_index
"""


class Match(StrEnum):
    """How a turn must match the phrase."""

    ALL = "all"
    ANY = "any"
    EXACT = "exact"


@dataclass(frozen=True)
class SaidTurn:
    """A turn, with its times in the call."""

    turn_index: int
    role: str
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Hit:
    """A turn that matches, in its call. A higher `score` is a better match."""

    call_id: str
    started_at: datetime | None
    agent_id: str | None
    queue: str | None
    path: str
    score: float
    turn: SaidTurn
    before: tuple[SaidTurn, ...]
    after: tuple[SaidTurn, ...]


@dataclass(frozen=True)
class Scope:
    """Where to look: turns of one role, calls of these days (UTC, both included), of one agent."""

    role: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    agent: str | None = None

    def filters(self) -> str:
        """Return the conditions on calls, in SQL."""
        conditions = ["true"]
        if self.first_day:
            conditions.append(f"calls.started_at >= {literal('from', self.first_day)}")
        if self.last_day:
            end = self.last_day + timedelta(days=1)
            conditions.append(f"calls.started_at < {literal('to', end)}")
        if self.agent:
            conditions.append(f"calls.agent_id = {literal('agent', self.agent)}")
        return " AND ".join(conditions)


def search(
    warehouse: Path,
    phrase: str,
    *,
    match: Match = Match.ALL,
    scope: Scope | None = None,
    limit: int = 20,
    around: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> tuple[Hit, ...]:
    """Return the best `limit` turns that match the phrase, each with the turns around it.

    Words match in any form (`worry` finds `worried`); with `Match.EXACT` they must have been said
    exactly so, one after the other. Raises QueryError for a phrase of only the commonest words, and
    as `questions.ask` does.
    """
    from warmline.query.process import one_line_errors, reading

    with (
        reading(warehouse, "fts") as con,
        one_line_errors(),
        _interrupted_after(con, timeout_s),
    ):
        terms = _terms(con, phrase)
        found = {term: number for term, number in terms.items() if number is not None}
        if not found or (match is not Match.ANY and len(found) < len(terms)):
            return ()
        looked_for = _Looking(con, phrase, tuple(found.values()), match, scope or Scope())
        return _with_turns(con, looked_for.best(limit), around)


@contextmanager
def _interrupted_after(con: "duckdb.DuckDBPyConnection", timeout_s: float) -> Iterator[None]:
    """Stop a query of the block after so many seconds, with a QueryError."""
    import duckdb  # here, as all commands import this module, and most need no DuckDB

    timer = threading.Timer(timeout_s, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as e:
        raise QueryError(f"the search took more than {timeout_s:g} s and was stopped") from e
    finally:
        timer.cancel()


#: Number of the call, turn, score, and when the call began.
Row = tuple[int, int, float, datetime | None]


@dataclass(frozen=True)
class _Looking:
    con: "duckdb.DuckDBPyConnection"
    phrase: str
    term_ids: tuple[int, ...]
    match: Match
    scope: Scope

    def best(self, limit: int) -> list[Row]:
        """Return the best candidates; exact search reads as many as it takes to find enough."""
        if self.match is not Match.EXACT:
            return self.con.execute(self._candidates(limit)).fetchall()
        count = max(_FIRST_CANDIDATES, limit)
        phrase = literal("phrase", self.phrase)
        while True:
            candidates = self._candidates(count)
            rows = self.con.execute(
                _VERBATIM.format(candidates=candidates, phrase=phrase, limit=limit)
            ).fetchall()
            verbatim = [row[:-2] for row in rows if row[-2]]
            if len(verbatim) == limit or not rows or rows[0][-1] < count:
                return verbatim
            count *= 30

    def _candidates(self, limit: int) -> str:
        selects = [
            "SELECT term_id, call_no, turn_index, role, occurrences, turn_terms "
            f"FROM search.postings WHERE term_id = {number}"
            for number in self.term_ids
        ]
        role = self.scope.role
        return _CANDIDATES.format(
            postings=" UNION ALL ".join(selects),
            role=f"role = {literal('party', role)}" if role else "true",
            least=1 if self.match is Match.ANY else len(self.term_ids),
            filters=self.scope.filters(),
            limit=limit,
        )


def _terms(con: "duckdb.DuckDBPyConnection", phrase: str) -> dict[str, int | None]:
    """Return the stems of the phrase, with their numbers; None for one that nobody ever said."""
    terms = dict(con.execute(_TERMS.format(phrase=literal("phrase", phrase))).fetchall())
    if not terms:
        raise QueryError(
            f"nothing to look up in {phrase!r}: give a word that is less common "
            "(`warmline query phrase -p text=...` reads every turn)"
        )
    return terms


def _with_turns(
    con: "duckdb.DuckDBPyConnection", rows: Sequence[Row], around: int
) -> tuple[Hit, ...]:
    if not rows:
        return ()
    numbers = ", ".join(str(number) for number in sorted({row[0] for row in rows}))
    calls = {number: call for number, *call in con.execute(_CALLS.format(calls=numbers)).fetchall()}
    turns: dict[int, list[SaidTurn]] = {}
    for number, *turn in con.execute(_TURNS.format(calls=numbers)).fetchall():
        turns.setdefault(number, []).append(SaidTurn(*turn))
    return tuple(_hit(row, calls[row[0]], turns[row[0]], around) for row in rows)


def _hit(row: Row, call: Sequence[Any], turns: Sequence[SaidTurn], around: int) -> Hit:
    """Return a hit; turn indices count up from 0 without a gap, which a check guarantees."""
    _, index, score, _ = row
    before = tuple(turns[max(0, index - around) : index])
    after = tuple(turns[index + 1 : index + 1 + around])
    call_id, started_at, agent_id, queue, path = call
    return Hit(call_id, started_at, agent_id, queue, path, score, turns[index], before, after)
