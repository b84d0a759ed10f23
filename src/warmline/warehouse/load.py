"""Fill the warehouse: tables from what has changed in the landing folder, marts from the tables.

The statements that fill the tables stand beside their definitions in `warehouse/tables`:
`staged.sql` reads a batch of landing files, every other file fills the table of its name. All is
bulk SQL, in batches that fit in memory.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import duckdb
import pyarrow as pa

from warmline.analysis import MetricDefinition
from warmline.database import stemmer
from warmline.errors import WarehouseError, first_line
from warmline.landing.rows import Reader, VanishedError, live_of
from warmline.landing.store import LandedFile
from warmline.settings import ProfileSettings
from warmline.warehouse.swap import note_scores
from warmline.warehouse.tables import SqlFile, digest, loaded_tables, sql_files, staging

_ROWS_AT_ONCE = 1000
_FILES_AT_ONCE = 500

Stamped = tuple[str, str]

#: What counts in the landing folder, and what each of it is called. Of recordings that claim one
#: name, the oldest gets it and the others a digest behind it: names follow from what has landed and
#: not from when it was published. A claim that looks like such a name gets a digest, too. Only what
#: lies in a file that cannot be read now keeps the name that it was loaded under.
_LIVE = f"""
CREATE OR REPLACE TEMP TABLE live AS
WITH claims AS (
    SELECT
        e.file, e.landing_key, e.content_sha256, e.path, e.modified_at,
        split_part(e.landing_key, '/', 2) AS digest,
        coalesce(nullif(trim(e.call_id), ''), split_part(e.landing_key, '/', 2)) AS claim,
        trim(e.call_id) = '' AS is_nameless,
        CASE WHEN e.file IN (SELECT file FROM landing.files WHERE problem IS NOT NULL)
            THEN calls.call_id END AS kept
    FROM ({live_of("landing.entries")}) AS e
    LEFT JOIN calls ON calls.landing_key = e.landing_key
),
ranked AS (
    SELECT
        *,
        bool_or(kept = claim) OVER (PARTITION BY claim) IS TRUE AS is_taken,
        row_number() OVER (
            PARTITION BY claim, kept IS NULL ORDER BY modified_at, landing_key
        ) AS place,
        count(*) OVER (PARTITION BY claim, digest[:8]) AS same_beginnings,
        regexp_matches(claim, '~[0-9a-f]{{8,}}$') AS looks_given
    FROM claims
)
SELECT
    file, landing_key, content_sha256, path, modified_at, claim, is_nameless,
    CASE
        WHEN kept IS NOT NULL THEN kept
        WHEN place = 1 AND NOT is_taken AND NOT looks_given THEN claim
        WHEN same_beginnings = 1 THEN claim || '~' || digest[:8]
        ELSE claim || '~' || digest
    END AS call_id
FROM ranked
"""

#: What has to be read, because it is new, changed, or has another name now. What lies in a file
#: that cannot be read now stays as it was loaded. Numbers go by age, so that zone maps tell days
#: apart. Only calls that were refused their name are joined: an outer join on a condition of one
#: side would compare each call with each.
_WANTED = """
CREATE OR REPLACE TEMP TABLE wanted AS
WITH refused AS (SELECT landing_key, claim FROM live WHERE call_id <> claim),
held AS (
    SELECT refused.landing_key, holder.path
    FROM refused INNER JOIN live AS holder ON holder.call_id = refused.claim
    WHERE holder.landing_key <> refused.landing_key
),
noted AS (
    SELECT
        live.*,
        CASE
            WHEN live.is_nameless THEN 'the metadata gives no call id'
            WHEN live.call_id = live.claim THEN NULL
            WHEN held.path IS NULL THEN 'no recording may claim the name ' || live.claim
            ELSE live.claim || ' is claimed by another recording, too: ' || held.path
        END AS call_id_note
    FROM live LEFT JOIN held USING (landing_key)
)
SELECT noted.file, noted.landing_key, noted.content_sha256, noted.call_id, noted.modified_at,
    row_number() OVER (ORDER BY noted.modified_at, noted.call_id)
        + (SELECT coalesce(max(call_no), 0) FROM calls) AS call_no,
    noted.call_id_note
FROM noted
LEFT JOIN calls ON calls.landing_key = noted.landing_key
WHERE noted.file IN (SELECT file FROM landing.files WHERE problem IS NULL)
    AND (calls.call_id IS DISTINCT FROM noted.call_id
        OR calls.call_id_note IS DISTINCT FROM noted.call_id_note
        OR calls.content_sha256 <> noted.content_sha256)
"""

_OUTDATED = """
CREATE OR REPLACE TEMP TABLE outdated AS
SELECT calls.call_no, calls.call_id, landing_key, calls.path,
    live.landing_key IS NOT NULL AS comes_back
FROM calls
LEFT JOIN live USING (landing_key)
WHERE live.landing_key IS NULL OR landing_key IN (SELECT landing_key FROM wanted)
"""

_TOUCHED = """
CREATE OR REPLACE TEMP TABLE touched AS
SELECT call_no FROM wanted UNION SELECT call_no FROM outdated
"""

#: A digest of what people said, whether there are sentences of feelings, and what was known of
#: people, of calls that a publishing touches.
_TEXTS = """
CREATE OR REPLACE TEMP TABLE {name} AS
SELECT
    calls.landing_key, said.texts, coalesce(felt.has_sentences, false) AS has_sentences,
    list_filter(
        [claimed_call_id, agent_id, team, queue, customer_id, contact_reason]
            || map_values(coalesce(extra, map())),
        lambda text: text IS NOT NULL
    ) AS known
FROM calls
SEMI JOIN {touched} USING (call_no)
LEFT JOIN (
    SELECT call_no, bit_xor(hash(text, word_index)) AS texts
    FROM facts.words SEMI JOIN {touched} USING (call_no)
    GROUP BY call_no
) AS said USING (call_no)
LEFT JOIN (
    SELECT call_no, bool_or(text <> '') AS has_sentences
    FROM facts.turn_feelings SEMI JOIN {touched} USING (call_no)
    GROUP BY call_no
) AS felt USING (call_no)
"""

#: Calls of which something is there no more that was there before.
_LOST = """
SELECT count(*) FROM texts_before AS old LEFT JOIN texts_after AS new USING (landing_key)
WHERE (old.texts IS NOT NULL AND old.texts IS DISTINCT FROM new.texts)
    OR (old.has_sentences AND new.has_sentences IS NOT true)
    OR (new.landing_key IS NOT NULL AND NOT list_has_all(new.known, old.known))
"""


@dataclass(frozen=True)
class Loading:
    """How many calls were loaded, were removed for good, and stayed as they were.

    Of `rid_of_words` of them, words or metadata that were published before are there no more.
    """

    loaded: int
    removed: int
    unchanged: int
    rid_of_words: int = 0


def note_files(
    con: duckdb.DuckDBPyConnection,
    reader: Reader,
    files: Sequence[LandedFile],
    unreadable: Mapping[Stamped, str],
) -> None:
    """Bring `landing.files` and `landing.entries` up to date, reading only files that changed.

    Of a file that cannot be read, what it held before counts. Raises UnreadableError for one that
    is not in `unreadable` (name and stamp -> problem).
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE listed AS SELECT unnest($names::VARCHAR[]) AS file, "
        "unnest($stamps::VARCHAR[]) AS stamp, unnest($problems::VARCHAR[]) AS problem",
        {
            "names": [file.name for file in files],
            "stamps": [file.stamp for file in files],
            "problems": [unreadable.get((file.name, file.stamp)) for file in files],
        },
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS "
        "SELECT * FROM listed ANTI JOIN landing.files USING (file, stamp)"
    )
    fresh = con.execute("SELECT file FROM fresh WHERE problem IS NULL").fetchall()
    names = {name for (name,) in fresh}
    reader.scan([file for file in files if file.name in names])
    for statement in (
        "DELETE FROM landing.entries WHERE file NOT IN (SELECT file FROM listed) "
        "OR file IN (SELECT file FROM fresh WHERE problem IS NULL)",
        "DELETE FROM landing.files WHERE file NOT IN (SELECT file FROM listed) "
        "OR file IN (SELECT file FROM fresh)",
        "INSERT INTO landing.files BY NAME SELECT file, stamp, problem FROM fresh",
        "INSERT INTO landing.entries BY NAME SELECT file, landing_key, content_sha256, "
        "analyzed_at, modified_at, path, call_id FROM landed",
    ):
        con.execute(statement)


def leave_away(con: duckdb.DuckDBPyConnection, keys: Collection[str]) -> list[str]:
    """Remove from `landing.entries` what was erased and has landed again; return its keys."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE forgotten AS SELECT unnest($keys::VARCHAR[]) AS landing_key",
        {"keys": list(keys)},
    )
    gone = con.execute(
        "DELETE FROM landing.entries WHERE landing_key IN (SELECT landing_key FROM forgotten) "
        "RETURNING landing_key"
    ).fetchall()
    return [key for (key,) in gone]


def load(con: duckdb.DuckDBPyConnection, reader: Reader, before: str | None = None) -> Loading:
    """Remove what is gone, load what is new or changed.

    `before` is the attached warehouse that has earlier analyses of these calls; None is this one.
    The temporary table `touched` then has the numbers of all calls that were. Raises
    UnreadableError or VanishedError when landing files turn out damaged or are replaced meanwhile;
    the warehouse is then half loaded and of no use.
    """
    con.execute(_LIVE)
    con.execute(_WANTED)
    con.execute(_OUTDATED)
    con.execute(_TOUCHED)
    con.execute(_TEXTS.format(name="texts_before", touched="outdated"))
    note_scores(con, before)
    if con.execute("FROM outdated LIMIT 1").fetchone():  # most nights only add calls
        for table in loaded_tables():
            con.execute(
                f"DELETE FROM {table.table} WHERE call_no IN (SELECT call_no FROM outdated)"
            )
    for files in _batches(con):
        _load_batch(con, reader, files)
    con.execute(_TEXTS.format(name="texts_after", touched="wanted"))
    return _counted(con)


def _batches(con: duckdb.DuckDBPyConnection) -> Iterator[list[str]]:
    """Yield the files to read together, oldest recordings first, so that times stay close."""
    wanted = con.execute(
        "SELECT file, count(*) FROM wanted GROUP BY file ORDER BY min(modified_at), file"
    ).fetchall()
    files: list[str] = []
    rows = 0
    for file, count in wanted:
        if files and (rows + count > _ROWS_AT_ONCE or len(files) >= _FILES_AT_ONCE):
            yield files
            files, rows = [], 0
        files.append(file)
        rows += count
    if files:
        yield files


def _load_batch(con: duckdb.DuckDBPyConnection, reader: Reader, files: list[str]) -> None:
    con.begin()
    con.execute(
        "CREATE OR REPLACE TEMP TABLE batch AS "
        "SELECT * FROM wanted WHERE file IN (SELECT unnest($files))",
        {"files": files},
    )
    with reader.blaming(files):
        reader.read(files, staging().filling, prefix=reader.prefix)
    _expect_all(con)
    for table in loaded_tables():
        _fill(con, table)
    con.commit()


def _fill(con: duckdb.DuckDBPyConnection, table: SqlFile) -> None:
    try:
        con.execute(table.filling)
    except duckdb.Error as e:
        cause = first_line(e)
        raise WarehouseError(f"cannot fill the table {table.name}: {cause}") from e


def _expect_all(con: duckdb.DuckDBPyConnection) -> None:
    """Raise when an analysis that was listed has changed or gone since."""
    missing = con.execute(
        "SELECT file FROM batch ANTI JOIN staged USING (landing_key, content_sha256) LIMIT 1"
    ).fetchone()
    if missing:
        raise VanishedError(f"landing file {missing[0]}: written again while being read")


def _counted(con: duckdb.DuckDBPyConnection) -> Loading:
    counted = con.execute(
        "SELECT (SELECT count(*) FROM wanted), "
        "(SELECT count(*) FROM outdated WHERE NOT comes_back), (SELECT count(*) FROM calls), "
        f"({_LOST})"
    ).fetchone()
    loaded, removed, calls, lost = counted or (0, 0, 0, 0)
    return Loading(loaded, removed, calls - loaded, lost)


def note_definitions(
    con: duckdb.DuckDBPyConnection, definitions: Sequence[MetricDefinition]
) -> None:
    """Bring the metric definitions up to date; versions that are no longer current stay."""
    con.execute("UPDATE metric_definitions SET is_current = false WHERE is_current")
    if definitions:
        rows = pa.Table.from_pylist([asdict(definition) for definition in definitions])
        con.register("definitions_given", rows)  # one by one they take longer than a night's calls
        con.execute(
            "INSERT OR REPLACE INTO metric_definitions BY NAME "
            "SELECT *, true AS is_current FROM definitions_given"
        )
        con.unregister("definitions_given")


def note_profile(con: duckdb.DuckDBPyConnection, profile: ProfileSettings) -> None:
    """Publish the settings of the empathy profile beside what they make."""
    weights = {name: float(value) for name, value in profile.model_dump().items()}
    con.execute(
        "INSERT OR REPLACE INTO profile_settings SELECT unnest($names), unnest($values)",
        {"names": list(weights), "values": list(weights.values())},
    )


# The marts, tables that sum up calls, are filled by blocks of call numbers: a row has the number of
# its call, or of the first call of its block, in `call_no`. So a night fills anew the blocks that
# it touched, and takes no float off a sum. What has no `$first` in it is filled as a whole.

CALLS_IN_BLOCK = 20_000


def summarize(con: duckdb.DuckDBPyConnection) -> None:
    """Fill the marts for the calls in the temporary table `touched`, which `load` leaves.

    A table whose SQL is not what filled it before is filled for all calls. Needs the views.
    """
    before = dict(con.execute("SELECT name, sha256 FROM marts").fetchall())
    for mart in sql_files("marts"):
        made_by = _inputs_digest(mart)
        if "$first" not in mart.filling:
            con.execute(f"DELETE FROM {mart.table}")
            con.execute(mart.filling)
        elif made_by == before.get(mart.name):
            _fill_mart(con, mart, _blocks(con, "touched"))
        else:
            con.execute(f"DELETE FROM {mart.table}")
            _fill_mart(con, mart, _blocks(con, "calls"))
        if made_by != before.get(mart.name):
            con.execute("INSERT OR REPLACE INTO marts VALUES ($1, $2)", [mart.name, made_by])


def _blocks(con: duckdb.DuckDBPyConnection, table: str) -> list[int]:
    """Return the call numbers at which the blocks of a table begin."""
    first = f"SELECT DISTINCT call_no - call_no % {CALLS_IN_BLOCK} FROM {table} ORDER BY 1"
    return [number for (number,) in con.execute(first).fetchall()]


def _fill_mart(con: duckdb.DuckDBPyConnection, mart: SqlFile, blocks: Sequence[int]) -> None:
    for first in blocks:
        block = {"first": first, "last": first + CALLS_IN_BLOCK - 1}
        con.execute(f"DELETE FROM {mart.table} WHERE call_no BETWEEN $first AND $last", block)
        con.execute(mart.filling, block)


@cache
def _inputs_digest(mart: SqlFile) -> str:
    """Return a digest of the SQL that fills a table, with its views and macros."""
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
LEFT JOIN calls USING (call_no, content_sha256)
WHERE calls.call_no IS NULL OR indexed.indexed_by <> $digest
"""

_FRESH = """
CREATE OR REPLACE TEMP TABLE fresh_calls AS
SELECT
    row_number() OVER (ORDER BY call_no) AS nth,
    calls.call_no,
    calls.content_sha256
FROM calls
ANTI JOIN search.calls AS indexed USING (call_no)
WHERE calls.status = 'analyzed'
"""

#: What lies between two spaces is told apart once, however often it was said.
_TOLD_APART = (
    """
CREATE OR REPLACE TEMP TABLE heard AS
SELECT
    row_number() OVER () AS place,
    fresh.call_no, turns.turn_index, turns.role, string_split(turns.text, ' ') AS said
FROM facts.turns AS turns
INNER JOIN fresh_calls AS fresh USING (call_no)
WHERE fresh.nth BETWEEN $first AND $last
""",
    """
CREATE OR REPLACE TEMP TABLE told_apart AS
SELECT said, word
FROM (
    SELECT said, unnest(words_said(said)) AS word
    FROM (SELECT DISTINCT unnest(said) AS said FROM heard)
)
ANTI JOIN search.stop_words USING (word)
""",
    """
CREATE OR REPLACE TEMP TABLE new_words AS
SELECT DISTINCT word FROM told_apart ANTI JOIN search.words USING (word)
""",
)
#: Only words that nobody has said before are reduced to stems.
_STEMS = """
CREATE OR REPLACE TEMP TABLE stems AS SELECT word, stem(word, 'english') AS term FROM new_words
"""
_REDUCED = (
    """
INSERT INTO search.terms
SELECT
    row_number() OVER (ORDER BY term) + (SELECT coalesce(max(term_id), 0) FROM search.terms),
    term
FROM (SELECT DISTINCT term FROM stems ANTI JOIN search.terms USING (term))
""",
    """
INSERT INTO search.words
SELECT word, term_id FROM stems INNER JOIN search.terms USING (term)
""",
)
_COUNTED = (
    """
CREATE OR REPLACE TEMP TABLE counted AS
WITH one_by_one AS (SELECT place, unnest(said) AS said FROM heard),
numbered AS (SELECT said, term_id FROM told_apart INNER JOIN search.words USING (word))
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
    fresh.call_no, fresh.content_sha256, $digest,
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
    FROM (SELECT DISTINCT unnest(string_split(text, ' ')) AS said FROM facts.turns))
""",
    "DELETE FROM search.terms WHERE term_id NOT IN (SELECT term_id FROM search.postings)",
)
_WORKED_OUT = ("stale", "fresh_calls", "heard", "told_apart", "new_words", "counted", "lengths")


def index_turns(con: duckdb.DuckDBPyConnection) -> int:
    """Bring the search index in line with `calls` and `turns`; returns how many calls it indexed.

    Calls that are gone or were analyzed anew leave the index. Needs the views' macros.
    """
    digest = _words_digest()
    con.execute(_STALE, {"digest": digest})
    for table in ("postings", "calls"):
        con.execute(f"DELETE FROM search.{table} WHERE call_no IN (SELECT call_no FROM stale)")
    if not con.execute("FROM search.calls LIMIT 1").fetchone():
        for table in ("words", "terms"):  # perhaps of another way to reduce them
            con.execute(f"DELETE FROM search.{table}")
    con.execute(_FRESH)
    ((fresh,),) = con.execute("SELECT count(*) FROM fresh_calls").fetchall()
    for first in range(1, fresh + 1, _CALLS_AT_ONCE):
        _index_batch(con, first, first + _CALLS_AT_ONCE - 1, digest)
    for table in _WORKED_OUT:
        con.execute(f"DROP TABLE IF EXISTS temp.{table}")
    return int(fresh)


def drop_unsaid_words(con: duckdb.DuckDBPyConnection) -> None:
    """Drop from the index the words that no turn holds any more; reads all turns."""
    for statement in _UNSAID:
        con.execute(statement)


def _index_batch(con: duckdb.DuckDBPyConnection, first: int, last: int, digest: str) -> None:
    given = {"first": first, "last": last, "digest": digest}
    _execute_all(con, _TOLD_APART, given)
    if new_words := con.execute("FROM new_words").to_arrow_table():
        with stemmer().cursor() as reducing:
            reducing.register("new_words", new_words)
            reducing.execute(_STEMS)
            con.register("stems", reducing.execute("FROM stems").to_arrow_table())
    con.begin()
    _execute_all(con, (*(_REDUCED if new_words else ()), *_COUNTED), given)
    con.commit()
    con.unregister("stems")


def _execute_all(
    con: duckdb.DuckDBPyConnection, statements: Sequence[str], given: Mapping[str, object]
) -> None:
    for statement in statements:
        used = {name: value for name, value in given.items() if f"${name}" in statement}
        con.execute(statement, used)


def _words_digest() -> str:
    """Return a digest of how text is split into words and reduced to stems."""
    words = next(file.text for file in sql_files("macros") if file.name == "words_said")
    told = "\n".join((words, *_TOLD_APART, _STEMS, *_REDUCED, *_COUNTED))
    return hashlib.sha256(told.encode()).hexdigest()
