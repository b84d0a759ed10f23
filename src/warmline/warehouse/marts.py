"""Keeps the tables that sum up calls in line with them: `warehouse/marts`, one file a table.

What sums up calls is filled block by block of call numbers, and every row has the number of its
call, or of the first call of its block, in `call_no`. So a night fills the blocks of what it
touched, adding up floats anew and never taking any off. What has no `$first` in it is filled as a
whole, every time.
"""

import hashlib
import re
from collections.abc import Sequence

import duckdb

from warmline.database import load_extension
from warmline.warehouse.tables import SqlFile, digest, sql_files

CALLS_IN_BLOCK = 20_000


def summarize(con: duckdb.DuckDBPyConnection) -> None:
    """Fill the marts for the calls in the temporary table `touched`, which `load` leaves.

    A table whose SQL is not what filled it before is filled for all calls. Needs the views.
    """
    before = dict(con.execute("SELECT name, sha256 FROM marts").fetchall())
    for mart in sql_files("marts"):
        made_by = _inputs_digest(mart)
        if "$first" not in mart.filling:
            con.execute(f"DELETE FROM {mart.name}")
            con.execute(mart.filling)
        elif made_by == before.get(mart.name):
            _fill(con, mart, _blocks(con, "touched"))
        else:
            con.execute(f"DELETE FROM {mart.name}")
            _fill(con, mart, _blocks(con, "calls"))
        con.execute("INSERT OR REPLACE INTO marts VALUES ($1, $2)", [mart.name, made_by])


def _blocks(con: duckdb.DuckDBPyConnection, table: str) -> list[int]:
    """The numbers at which the blocks begin in which the calls of a table lie."""
    return [
        first
        for (first,) in con.execute(
            f"SELECT DISTINCT call_no - call_no % {CALLS_IN_BLOCK} AS first FROM {table} ORDER BY 1"
        ).fetchall()
    ]


def _fill(con: duckdb.DuckDBPyConnection, mart: SqlFile, blocks: Sequence[int]) -> None:
    for first in blocks:
        block = {"first": first, "last": first + CALLS_IN_BLOCK - 1}
        con.execute(f"DELETE FROM {mart.name} WHERE call_no BETWEEN $first AND $last", block)
        con.execute(mart.filling, block)


def _inputs_digest(mart: SqlFile) -> str:
    """A digest of the SQL that fills a table, and of the views and macros behind it."""
    read, unread = [SqlFile(mart.name, mart.filling)], [*sql_files("views"), *sql_files("macros")]
    for file in read:
        used = [f for f in unread if re.search(rf"\b{f.name}\b", file.text)]
        read += used
        unread = [f for f in unread if f not in used]
    return digest(*read)


# Keeps the search index of the turns up to date: what changed is indexed, nothing else is touched.


_CALLS_AT_ONCE = 25_000

_STALE = """
CREATE OR REPLACE TEMP TABLE stale AS
SELECT indexed.call_no
FROM search.calls AS indexed
LEFT JOIN calls USING (call_no, call_id, content_sha256)
WHERE calls.call_no IS NULL OR indexed.indexed_by <> $digest
"""

_FRESH = """
CREATE OR REPLACE TEMP TABLE fresh_calls AS
SELECT
    row_number() OVER (ORDER BY call_no) AS nth,
    calls.call_no,
    calls.call_id,
    calls.content_sha256
FROM calls
ANTI JOIN search.calls AS indexed USING (call_no)
WHERE calls.status = 'analyzed'
"""

#: What lies between two spaces is told apart and reduced to stems once, however often it was said.
_BATCH = (
    """
CREATE OR REPLACE TEMP TABLE heard AS
SELECT
    row_number() OVER () AS place,
    fresh.call_no, turns.turn_index, turns.role, string_split(turns.text, ' ') AS said
FROM turns
INNER JOIN fresh_calls AS fresh USING (call_no)
WHERE fresh.nth BETWEEN $first AND $last
""",
    """
CREATE OR REPLACE TEMP TABLE stems AS
WITH told_apart AS (
    SELECT said, unnest(words_said(said)) AS word
    FROM (SELECT DISTINCT unnest(said) AS said FROM heard)
)
SELECT said, word, stem(word, 'english') AS term
FROM told_apart
ANTI JOIN search.stop_words USING (word)
""",
    """
INSERT INTO search.terms
SELECT
    row_number() OVER (ORDER BY term) + (SELECT coalesce(max(term_id), 0) FROM search.terms),
    term
FROM (SELECT DISTINCT term FROM stems ANTI JOIN search.terms USING (term))
""",
    """
INSERT INTO search.words
SELECT DISTINCT word, term_id
FROM stems INNER JOIN search.terms USING (term)
ANTI JOIN search.words USING (word)
""",
    """
CREATE OR REPLACE TEMP TABLE counted AS
WITH one_by_one AS (SELECT place, unnest(said) AS said FROM heard),
numbered AS (SELECT said, term_id FROM stems INNER JOIN search.terms USING (term))
SELECT place, term_id, count(*) AS occurrences
FROM one_by_one INNER JOIN numbered USING (said)
GROUP BY ALL
""",
    """
CREATE OR REPLACE TEMP TABLE lengths AS
SELECT place, call_no, turn_index, role, turn_terms
FROM (SELECT place, sum(occurrences) AS turn_terms FROM counted GROUP BY place)
INNER JOIN heard USING (place)
""",
    """
INSERT INTO search.postings
SELECT term_id, call_no, turn_index, role, occurrences, turn_terms
FROM counted INNER JOIN lengths USING (place)
ORDER BY term_id, call_no, turn_index
""",
    """
INSERT INTO search.calls
SELECT
    fresh.call_no, fresh.call_id, fresh.content_sha256, $digest,
    count(place), coalesce(sum(turn_terms), 0)
FROM fresh_calls AS fresh
LEFT JOIN lengths USING (call_no)
WHERE fresh.nth BETWEEN $first AND $last
GROUP BY ALL
ORDER BY fresh.call_no
""",
)
#: Of words that nobody says any more, the index kept how they are spelled.
_UNSAID = (
    """
DELETE FROM search.words WHERE word NOT IN (
    SELECT unnest(words_said(said)) AS word
    FROM (SELECT DISTINCT unnest(string_split(text, ' ')) AS said FROM turns))
""",
    "DELETE FROM search.terms WHERE term_id NOT IN (SELECT term_id FROM search.postings)",
)
_TEMPORARY = ("stale", "fresh_calls", "heard", "stems", "counted", "lengths")


def index_turns(con: duckdb.DuckDBPyConnection) -> int:
    """Bring the search index in line with `calls` and `turns`; returns how many calls it indexed.

    Calls that are gone or were analyzed anew leave the index. Needs the views' macros.
    """
    load_extension(con, "fts")
    digest = _words_digest()
    con.execute(_STALE, {"digest": digest})
    for table in ("postings", "calls"):
        con.execute(f"DELETE FROM search.{table} WHERE call_no IN (SELECT call_no FROM stale)")
    con.execute(_FRESH)
    counted = con.execute("SELECT count(*) FROM fresh_calls").fetchall()
    fresh = int(counted[0][0])
    for first in range(1, fresh + 1, _CALLS_AT_ONCE):
        _index_batch(con, first, first + _CALLS_AT_ONCE - 1, digest)
    for table in _TEMPORARY:
        con.execute(f"DROP TABLE IF EXISTS temp.{table}")
    return fresh


def drop_unsaid_words(con: duckdb.DuckDBPyConnection) -> None:
    """Drop from the index the words that no turn holds any more; reads all turns."""
    for statement in _UNSAID:
        con.execute(statement)


def _index_batch(con: duckdb.DuckDBPyConnection, first: int, last: int, digest: str) -> None:
    given = {"first": first, "last": last, "digest": digest}
    con.begin()
    for statement in _BATCH:
        used = {name: value for name, value in given.items() if f"${name}" in statement}
        con.execute(statement, used)
    con.commit()


def _words_digest() -> str:
    """A digest of how words are told apart and reduced."""
    words = next(file.text for file in sql_files("macros") if file.name == "words_said")
    return hashlib.sha256("\n".join((words, *_BATCH)).encode()).hexdigest()
