"""Search what was said: the turns that contain the words, best first, and those around them.

Ranked by BM25 (Robertson and Zaragoza 2009) over all turns, with words reduced to their stems. The
index is the warehouse's own (see `warehouse.marts`); counts for the ranking are made at query time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmline.errors import QueryError
from warmline.query.questions import DEFAULT_TIMEOUT_S, answered_apart, literal

if TYPE_CHECKING:
    import duckdb

_FIRST_CANDIDATES = 1000

_WORDS = """
FROM (SELECT DISTINCT unnest(words_said({phrase})) AS word) ANTI JOIN search.stop_words USING (word)
"""
_STEMS = "SELECT DISTINCT stem(unnest([{words}]), 'english')"
_TERMS = "SELECT term, term_id FROM search.terms WHERE term IN ({stems})"

#: k = 1.2 and b = 0.75, as usual. Every term is asked for by itself, and only in calls whose
#: numbers lie among those looked for, which skips most of the table: these calls are ranked.
_CANDIDATES = """
WITH postings AS ({postings}),
size AS (
    SELECT sum(turns) AS turns, sum(terms) / sum(turns) AS mean_terms
    FROM search.calls
    WHERE {numbers}
),
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
_NUMBERS = "SELECT min(call_no), max(call_no) FROM calls WHERE {filters}"
#: Those that say it come first; `looked_at` tells whether there may be more behind the candidates.
_VERBATIM = """
SELECT
    found.*,
    contains(
        ' ' || array_to_string(words_said(turns.text), ' ') || ' ',
        ' ' || array_to_string(words_said({phrase}), ' ') || ' ') AS is_verbatim,
    count(*) OVER () AS looked_at
FROM ({candidates}) AS found
INNER JOIN facts.turns AS turns USING (call_no, turn_index)
ORDER BY is_verbatim DESC, score DESC, started_at DESC, call_no, turn_index
LIMIT {limit}
"""
#: The first and the last of a list of numbers skip most of a table, which the list alone does not.
_CALLS = """
SELECT call_no, call_id, started_at, agent_id, queue, path FROM calls
WHERE call_no IN ({calls}) AND call_no BETWEEN {first} AND {last}
"""
#: The turns of the hits and those around them.
_TURNS = """
SELECT DISTINCT turns.call_no, turn_index, role, start_s, end_s, text
FROM facts.turns AS turns
INNER JOIN (VALUES {hits}) AS hits(call_no, hit_index)
    ON turns.call_no = hits.call_no
    AND turns.turn_index BETWEEN hits.hit_index - {around} AND hits.hit_index + {around}
WHERE turns.call_no IN ({calls}) AND turns.call_no BETWEEN {first} AND {last}
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


@dataclass(frozen=True)
class Among:
    """Which calls to look in, beyond a scope: a condition on the table `calls`, with its values.

    The program writes the condition; what somebody typed is among the values.
    """

    sql: str = "true"
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchRequest:
    """The request to the process of a search; days are as ISO 8601 writes them."""

    warehouse: str
    phrase: str
    match: str
    role: str | None
    first_day: str | None
    last_day: str | None
    agent: str | None
    limit: int
    around: int
    timeout_s: float

    @property
    def scope(self) -> Scope:
        """Return where to look."""
        days = (day and date.fromisoformat(day) for day in (self.first_day, self.last_day))
        first, last = (day or None for day in days)
        return Scope(self.role, first, last, self.agent)


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

    Words count in any form (`worry` finds `worried`); with `Match.EXACT` they must have been said
    just so, one after the other. It is answered by a process of its own, as `questions.ask` does,
    and within the same limits. Raises QueryError for a phrase of nothing but the commonest words,
    and as `questions.ask` does.
    """
    within = scope or Scope()
    request = SearchRequest(
        str(warehouse),
        phrase,
        match.value,
        within.role,
        within.first_day.isoformat() if within.first_day else None,
        within.last_day.isoformat() if within.last_day else None,
        within.agent,
        limit,
        around,
        timeout_s,
    )
    _, _, rows = answered_apart(asdict(request), timeout_s)
    return tuple(_received(row) for row in rows)


def find_hits(con: "duckdb.DuckDBPyConnection", request: SearchRequest) -> tuple[Hit, ...]:
    """Return what is searched for, over a connection that has the extension `fts`."""
    match = Match(request.match)
    return best_hits(con, con, request.phrase, match, request.scope, request.limit, request.around)


def best_hits(
    con: "duckdb.DuckDBPyConnection",
    stemmer: "duckdb.DuckDBPyConnection",
    phrase: str,
    match: Match = Match.ALL,
    scope: Scope | None = None,
    limit: int = 20,
    around: int = 1,
    among: Among | None = None,
) -> tuple[Hit, ...]:
    """Return what `search` does; `stemmer` is a connection that has the extension `fts`.

    The SQL is fixed: nothing that somebody writes is run. The best are those `among` the calls that
    it leaves. Raises QueryError as `search` does.
    """
    terms = _terms(con, stemmer, phrase)
    found = {term: number for term, number in terms.items() if number is not None}
    if not found or (match is not Match.ANY and len(found) < len(terms)):
        return ()
    within = scope or Scope()
    first, last = con.execute(_NUMBERS.format(filters=within.filters())).fetchone() or (None, None)
    if first is None:
        return ()
    left = among or Among()
    looked_for = _Looking(con, phrase, tuple(found.values()), match, within, left, (first, last))
    return _with_turns(con, looked_for.best(limit), around)


def _received(row: Sequence[Any]) -> Hit:
    """A hit as another process sent it."""
    call_id, started_at, agent_id, queue, path, score, turn, *around = row
    before, after = (tuple(SaidTurn(*said) for said in part) for part in around)
    said = SaidTurn(*turn)
    return Hit(call_id, started_at, agent_id, queue, path, score, said, before, after)


#: Number of the call, turn, score, and when the call began.
Row = tuple[int, int, float, datetime | None]


@dataclass(frozen=True)
class _Looking:
    con: "duckdb.DuckDBPyConnection"
    phrase: str
    term_ids: tuple[int, ...]
    match: Match
    scope: Scope
    among: Among
    numbers: tuple[int, int]

    def best(self, limit: int) -> list[Row]:
        """Return the best candidates; exact search reads as many as it takes to find enough."""
        if self.match is not Match.EXACT:
            return self.con.execute(self._candidates(limit), self.among.values).fetchall()
        count = max(_FIRST_CANDIDATES, limit)
        phrase = literal("phrase", self.phrase)
        while True:
            candidates = self._candidates(count)
            sql = _VERBATIM.format(candidates=candidates, phrase=phrase, limit=limit)
            rows = self.con.execute(sql, self.among.values).fetchall()
            verbatim = [row[:-2] for row in rows if row[-2]]
            if len(verbatim) == limit or not rows or rows[0][-1] < count:
                return verbatim
            count *= 30

    def _candidates(self, limit: int) -> str:
        numbers = "call_no BETWEEN {} AND {}".format(*self.numbers)
        selects = [
            "SELECT term_id, call_no, turn_index, role, occurrences, turn_terms "
            f"FROM search.postings WHERE term_id = {number} AND {numbers}"
            for number in self.term_ids
        ]
        role = self.scope.role
        return _CANDIDATES.format(
            numbers=numbers,
            postings=" UNION ALL ".join(selects),
            role=f"role = {literal('party', role)}" if role else "true",
            least=1 if self.match is Match.ANY else len(self.term_ids),
            filters=f"{self.scope.filters()} AND {self.among.sql}",
            limit=limit,
        )


def _terms(
    con: "duckdb.DuckDBPyConnection", stemmer: "duckdb.DuckDBPyConnection", phrase: str
) -> dict[str, int | None]:
    """Return the stems of the phrase, with their numbers; None for one that nobody ever said."""
    words = con.execute(_WORDS.format(phrase=literal("phrase", phrase))).fetchall()
    if not words:
        raise QueryError(
            f"nothing to look up in {phrase!r}: give a word that is less common "
            "(`warmline query phrase -p text=...` reads every turn)"
        )
    stems = stemmer.execute(_STEMS.format(words=_listed(words))).fetchall()
    numbers = dict(con.execute(_TERMS.format(stems=_listed(stems))).fetchall())
    return {stem: numbers.get(stem) for (stem,) in stems}


def _listed(rows: Sequence[tuple[str]]) -> str:
    return ", ".join(literal("word", word) for (word,) in rows)


def _with_turns(
    con: "duckdb.DuckDBPyConnection", rows: Sequence[Row], around: int
) -> tuple[Hit, ...]:
    if not rows:
        return ()
    numbers = sorted({row[0] for row in rows})
    among = {"calls": ", ".join(map(str, numbers)), "first": numbers[0], "last": numbers[-1]}
    calls = {number: call for number, *call in con.execute(_CALLS.format(**among)).fetchall()}
    hits = ", ".join(f"({number}, {index})" for number, index, *_ in rows)
    sql = _TURNS.format(hits=hits, around=int(around), **among)
    found = con.execute(sql).fetchall()
    turns = {(number, turn[0]): SaidTurn(*turn) for number, *turn in found}
    return tuple(_hit(row, calls[row[0]], turns, around) for row in rows)


def _hit(
    row: Row, call: Sequence[Any], turns: Mapping[tuple[int, int], SaidTurn], around: int
) -> Hit:
    """Return a hit; turn indices count up from 0 without a gap, which a check guarantees."""
    number, index, score, _ = row
    before, after = range(index - around, index), range(index + 1, index + 1 + around)
    sides = (
        tuple(turns[number, at] for at in side if (number, at) in turns) for side in (before, after)
    )
    call_id, started_at, agent_id, queue, path = call
    return Hit(call_id, started_at, agent_id, queue, path, score, turns[number, index], *sides)
