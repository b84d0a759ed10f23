"""The SQL files of the repository's `warehouse/` folder: they say what, this package says when.

A file in `tables/` or `marts/` is named after its table. It makes the table, says in comments what
its columns mean, and has, after a line that begins with `-- load:` or `-- fill:`, the statement
that fills it. A table of what single calls consist of is made in the schema `facts`, and its key is
`call_no`; people ask the view of its name, whose key is `call_id`. Tables are never altered: a
warehouse whose tables are made or loaded otherwise than today's is built anew from the landing
folder (`publishing.py`).

`python -m warmline.warehouse.tables > warehouse/README.md` writes down what all of them mean.
DuckDB is imported only by what uses it: to list the named queries takes none.
"""

import hashlib
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmline.errors import WarehouseError, first_line
from warmline.files import folder, temporary_folder

if TYPE_CHECKING:
    import duckdb

_FILLING = re.compile(r"^-- (?:load|fill):.*\n", re.MULTILINE)
_MACROS = """
SELECT DISTINCT function_name, function_type FROM duckdb_functions()
WHERE function_type IN ('macro', 'table_macro') AND NOT internal
    AND database_name = current_database()
"""
_VIEWS = """
SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()
    AND view_name NOT IN (SELECT unnest($by_call_id::VARCHAR[]))
"""
#: What people ask instead of a table in `facts`.
_BY_CALL_ID = """
CREATE VIEW "{name}" AS
SELECT calls.call_id, stored.* EXCLUDE (call_no)
FROM facts."{name}" AS stored INNER JOIN calls ON calls.call_no = stored.call_no;
COMMENT ON COLUMN "{name}".call_id IS 'The call (calls.call_id).';
"""
# Columns of views without a comment, and what the tables say of their column of that name: those
# that the view reads, if they agree, else all.
_COMMENTS_OF_TABLES = """
WITH described AS (
    SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()
    UNION ALL
    SELECT 'main', unnest($by_call_id::VARCHAR[])
),
meant AS (
    SELECT table_name, column_name, comment
    FROM duckdb_columns() SEMI JOIN described USING (schema_name, table_name)
    WHERE database_name = current_database() AND comment IS NOT NULL
),
bare AS (
    SELECT table_name AS view_name, column_name
    FROM duckdb_columns() ANTI JOIN described USING (schema_name, table_name)
    WHERE database_name = current_database() AND NOT internal AND comment IS NULL
),
reads AS (
    SELECT DISTINCT view_name, unnest(regexp_extract_all(sql, '\\w+')) AS table_name
    FROM duckdb_views() SEMI JOIN bare USING (view_name)
    WHERE NOT internal AND database_name = current_database()
)
SELECT
    bare.view_name,
    bare.column_name,
    coalesce(any_value(comment) FILTER (reads.table_name IS NOT NULL), any_value(comment))
FROM bare
INNER JOIN meant USING (column_name)
LEFT JOIN reads ON reads.view_name = bare.view_name AND reads.table_name = meant.table_name
GROUP BY ALL
HAVING count(DISTINCT comment) FILTER (reads.table_name IS NOT NULL) = 1
    OR (count(DISTINCT comment) FILTER (reads.table_name IS NOT NULL) = 0
        AND count(DISTINCT comment) = 1)
"""


@dataclass(frozen=True)
class SqlFile:
    """One SQL file. `name` is the file's without `.sql`; `header` the comment it begins with."""

    name: str
    text: str

    @property
    def header(self) -> str:
        """Return the comment lines at the top, without their dashes."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return "\n".join(lines)

    @property
    def description(self) -> str:
        """Return what the header says, without its lines about parameters."""
        return " ".join(line for line in self.header.splitlines() if not line.startswith("$"))

    @property
    def is_of_calls(self) -> bool:
        """Return whether it makes a table of what calls consist of, in the schema `facts`."""
        return f"CREATE TABLE facts.{self.name} (" in self.text

    @property
    def table(self) -> str:
        """Return the name of the table, with its schema."""
        return f"{'facts' if self.is_of_calls else 'main'}.{self.name}"

    @property
    def definition(self) -> str:
        """Return the statements that make a table, without comments."""
        return SqlFile(self.name, _FILLING.split(self.text, maxsplit=1)[0]).without_comments.text

    @property
    def filling(self) -> str:
        """Return the statement that fills the table; empty where code does."""
        return "".join(_FILLING.split(self.text, maxsplit=1)[1:])

    @property
    def comments(self) -> str:
        """Return the COMMENT statements of the table and its columns, one a line."""
        return "".join(line for line in self.text.splitlines(True) if _is_comment(line))

    @property
    def without_comments(self) -> "SqlFile":
        """Return the file without its comments and header."""
        lines = self.text.splitlines(True)
        kept = [line for line in lines if not (line.startswith("--") or _is_comment(line))]
        return SqlFile(self.name, "".join(kept))


@cache
def sql_files(kind: str) -> tuple[SqlFile, ...]:
    """Return the files of one of the folders (`tables`, `views`, ...), sorted by name."""
    found = sorted((folder("warehouse") / kind).glob("*.sql"))
    return tuple(SqlFile(path.stem, path.read_text(encoding="utf-8")) for path in found)


def loaded_tables() -> tuple[SqlFile, ...]:
    """Return the tables that are loaded from landing files, one row of `staged` an analysis."""
    return tuple(f for f in sql_files("tables") if f.filling and f.name != "staged")


def tables_of_calls() -> tuple[SqlFile, ...]:
    """Return the tables and marts in the schema `facts`, which people ask by views."""
    return tuple(f for f in (*sql_files("tables"), *sql_files("marts")) if f.is_of_calls)


def staging() -> SqlFile:
    """Return what reads a batch of landing files into the temporary table `staged`."""
    return next(file for file in sql_files("tables") if file.name == "staged")


def in_order_of_use(files: Iterable[SqlFile]) -> tuple[SqlFile, ...]:
    """Return the files, each after those whose names stand in its text as words."""
    named = {file.name: file for file in files}
    uses = {
        name: (named.keys() & set(re.findall(r"\w+", file.text))) - {name}
        for name, file in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(uses).static_order())


def digest(*files: SqlFile) -> str:
    """Return a digest of the files' names and texts."""
    text = "".join(f"{len(file.text)} {file.name}\n{file.text}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def sql_digest() -> str:
    """Return a digest of the SQL that a warehouse is made, filled, read and checked by."""
    kinds = ("tables", "marts", "macros", "views", "checks")
    return digest(*(file for kind in kinds for file in sql_files(kind)))


def note_of_version(con: "duckdb.DuckDBPyConnection") -> str:
    """Return what to do about a warehouse of another version's SQL, which may lack what is asked
    for; nothing for one that this version published.
    """
    import duckdb

    try:
        row = con.execute("SELECT sql_sha256 FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        row = None
    if row and row[0] == sql_digest():
        return ""
    return (
        "another version of warmline published this warehouse; the next night, or `warmline "
        "analyze` with the same folder, brings it up to date"
    )


@cache
def tables_digest() -> str:
    """Return a digest of how tables are made and loaded; comments do not count."""
    made = [SqlFile(mart.name, mart.definition) for mart in sql_files("marts")]
    asked = SqlFile("facts", _BY_CALL_ID)
    return digest(*(file.without_comments for file in (*sql_files("tables"), *made, asked)))


def define_tables(con: "duckdb.DuckDBPyConnection") -> None:
    """Make all tables of an empty warehouse. Raises WarehouseError naming the file that cannot."""
    import duckdb

    con.execute("BEGIN")  # a commit for each of some hundred statements takes a fifth longer
    files = (*sql_files("tables"), *sql_files("marts"))
    for file in sorted(files, key=lambda file: file.name != "calls"):  # which the views read
        try:
            con.execute(file.definition)
            if file.is_of_calls:
                con.execute(_BY_CALL_ID.format(name=file.name))
            con.execute(file.comments)
        except duckdb.Error as e:
            raise WarehouseError(f"{file.name}.sql: {first_line(e)}") from e
    con.execute("COMMIT")


@cache
def empty_warehouse(*, is_small: bool) -> bytes:
    """Return the file of a warehouse without calls that is not encrypted, for few calls or many.

    To make its tables and views takes longer than to load some hundred calls: a process that builds
    several warehouses makes them once.
    """
    from warmline.database import open_for_building

    with temporary_folder() as folder:
        path = folder / "empty.duckdb"
        with open_for_building(path, landed_bytes=0 if is_small else None) as con:
            define_tables(con)
            define_views(con)
            con.execute("CHECKPOINT")
        return path.read_bytes()


def comment_tables(con: "duckdb.DuckDBPyConnection") -> None:
    """Write today's comments on the tables of a warehouse that is not built anew."""
    for file in (*sql_files("tables"), *sql_files("marts")):
        con.execute(file.comments)


def define_views(con: "duckdb.DuckDBPyConnection") -> None:
    """Make all macros and views anew, and drop those that there are no more.

    A column of a view that its file does not explain means what it means in the tables. The views
    that have `call_id` for tables in `facts` belong to these.
    """
    by_call_id = {"by_call_id": [file.name for file in tables_of_calls()]}
    con.execute("BEGIN")
    for name, kind in con.execute(_MACROS).fetchall():
        con.execute(f'DROP MACRO {"TABLE " if kind == "table_macro" else ""}"{name}"')
    for (name,) in con.execute(_VIEWS, by_call_id).fetchall():
        con.execute(f'DROP VIEW "{name}"')
    for file in in_order_of_use((*sql_files("macros"), *sql_files("views"))):
        con.execute(file.text)
    for view, column, comment in con.execute(_COMMENTS_OF_TABLES, by_call_id).fetchall():
        meaning = comment.replace("'", "''")
        con.execute(f'COMMENT ON COLUMN "{view}"."{column}" IS \'{meaning}\'')
    con.execute("COMMIT")


def _is_comment(line: str) -> bool:
    return line.startswith("COMMENT ON ")


# Checks that must return no rows: `warehouse/checks/*.sql`.

# One row a call: small, and checked across calls.
_READ_WHOLE = {"call_measures", "customer_opening"}
#: What checks read: rows of calls that are not there, too, whose `call_id` is NULL.
_CHECKED = """
CREATE TEMP {kind} "{name}" AS
SELECT calls.call_id, stored.* EXCLUDE (call_no)
FROM "{database}".facts."{name}" AS stored
LEFT JOIN "{database}".main.calls AS calls ON calls.call_no = stored.call_no
{where}
"""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: `rows` are the first ones found, `count` how many there are."""

    name: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    count: int

    @property
    def passed(self) -> bool:
        """Return whether nothing was found."""
        return self.count == 0

    def __str__(self) -> str:
        """Return what is wrong, on one line, with the first row."""
        if self.passed:
            return f"{self.name}: passed"
        pairs = zip(self.columns, self.rows[0], strict=True)
        first = ", ".join(f"{column} = {value}" for column, value in pairs)
        return f"{self.name}: {self.count} rows against it, the first: {first}"


def run_checks(
    con: "duckdb.DuckDBPyConnection", rows_shown: int = 10, *, whole: bool = True
) -> tuple[CheckResult, ...]:
    """Run every check, on the whole warehouse or on the calls of the temporary table `touched`.

    `load` leaves that table. A check is about single calls or about `calls` as a whole, so the rows
    of calls that were checked before and have not changed since need not be read again: at a
    million calls that saves minutes.
    """
    with _rows_to_check(con, whole=whole):
        return tuple(_run(con, f.name, f.header, f.text, rows_shown) for f in sql_files("checks"))


@contextmanager
def _rows_to_check(con: "duckdb.DuckDBPyConnection", *, whole: bool) -> Iterator[None]:
    """Put a temporary table or view in front of each view of `facts` while the block runs.

    A table that has only the rows of touched calls before each large one, else a view. All of them
    go with the transaction that they are made in.
    """
    kinds = {
        file.name: "VIEW" if whole or file.name in _READ_WHOLE else "TABLE"
        for file in tables_of_calls()
    }
    database = con.execute("SELECT current_database()").fetchall()[0][0]
    only = {"VIEW": "", "TABLE": "WHERE stored.call_no IN (SELECT call_no FROM touched)"}
    con.begin()
    try:
        for name, kind in kinds.items():
            con.execute(_CHECKED.format(name=name, kind=kind, database=database, where=only[kind]))
        yield
    finally:
        con.rollback()


def check_warehouse(path: Path) -> tuple[CheckResult, ...]:
    """Run every check against a published warehouse, without changing it."""
    from warmline.database import open_for_reading

    with open_for_reading(path) as con:
        return run_checks(con)


def _run(
    con: "duckdb.DuckDBPyConnection", name: str, description: str, sql: str, rows_shown: int
) -> CheckResult:
    found = con.execute(sql)
    columns = tuple(column[0] for column in found.description or ())
    rows = found.fetchmany(rows_shown)
    count = len(rows)
    while more := found.fetchmany(10_000):
        count += len(more)
    return CheckResult(name, description, columns, tuple(rows), count)


# The data dictionary: every table, view and column with its meaning, from the comments in the SQL.

_OBJECTS = """
SELECT 'table' AS kind, schema_name, table_name AS name, comment
FROM duckdb_tables() WHERE NOT internal AND schema_name <> 'facts'
UNION ALL
SELECT
    CASE WHEN view_name IN (SELECT table_name FROM duckdb_tables() WHERE schema_name = 'facts')
        THEN 'table' ELSE 'view' END,
    schema_name, view_name, comment
FROM duckdb_views() WHERE NOT internal
ORDER BY kind, schema_name DESC, name
"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, comment
FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index
"""

_MACRO_COMMENTS = """
SELECT function_name, parameters, comment FROM duckdb_functions()
WHERE function_type IN ('macro', 'table_macro') AND NOT internal ORDER BY function_name
"""

#: How tables hang together; besides these, every table has the call_id of a call.
_LINKS = (
    ("parties", "||--o{", "turns", "party"),
    ("parties", "||--o{", "metrics", "party"),
    ("turns", "||--o{", "words", "turn_index"),
    ("turns", "||--o{", "moments", "turn_index"),
    ("turns", "||--o{", "opportunities", "turn_index"),
    ("turns", "||--o{", "quotes", "turn_index"),
    ("turns", "||--o{", "turn_feelings", "turn_index"),
    ("turns", "||--o|", "turn_empathy", "turn_index"),
    ("metric_definitions", "||--o{", "metrics", "name, version"),
    ("calls", "|o--o{", "outcomes", "customer_id"),
    ("calls", "|o--o{", "reviews", "landing_key"),
    ("calls", "|o--o{", "evaluations", "landing_key"),
    ("opportunities", "|o--o{", "reviews", "name, start_s, end_s"),
    ("metrics", "|o--o{", "reviews", "name, role"),
)

_ONE_A_CALL = ("call_measures", "customer_opening")

_INTRODUCTION = """# The warehouse

<!-- Written by `python -m warmline.warehouse.tables`; edit the comments in the SQL instead. -->

One DuckDB file, built from the landing folder and published whole. Open it with anything that reads
DuckDB (read-only, so that the night is not locked out), or ask `warmline query`.

- `tables/` make the tables and load them from landing files: a file has a table's columns, what
  they mean, and the statement that fills it. When they change, the next publishing builds the
  warehouse anew from the landing folder; there is nothing to migrate.
- `marts/` are tables worked out from other tables, for the calls that a publishing touched.
- `macros/` are what views and queries have in common; `views/` give meaning. Both are made anew at
  every publishing.
- `queries/` are questions with a name: `warmline query --list`.
- `checks/` must return no rows, or nothing is published.

`call_id` is the key of a call and what to join by. Of a few calls among many, read the rows by
`WHERE call_id = '...'`, or, where another query picked the calls, by `INNER JOIN LATERAL (SELECT *
FROM turns WHERE turns.call_id = picked.call_id) AS turns ON true`: only these are read.

What a call consists of lies in the schema `facts`, in order of a number (`calls.call_no`) that
changes when a call is loaded again: that is what warmline itself writes and reads. For each table
there, a view of its name has `call_id` in the place of the number. These views are listed under
Tables here, and are what to ask.

Times of day are UTC; times in a call are seconds from the beginning of the recording. NULL means
that it cannot be said, which is never zero; `metrics.reason` says why.
"""


def dictionary(con: "duckdb.DuckDBPyConnection") -> str:
    """Return the dictionary of a warehouse as Markdown, with a picture of its tables."""
    columns = defaultdict(list)
    for schema, table, column, kind, comment in con.execute(_COLUMNS).fetchall():
        columns[schema, table].append((column, kind, comment))
    objects = con.execute(_OBJECTS).fetchall()
    keyed = [
        name
        for kind, schema, name, _ in objects
        if (kind, schema) == ("table", "main")
        and name != "calls"
        and any(column == "call_id" for column, *_ in columns[schema, name])
    ]
    parts = [_INTRODUCTION, _picture(keyed)]
    for kind, title in (("table", "Tables"), ("view", "Views")):
        parts.append(f"## {title}\n")
        parts += [
            _section(schema, name, comment, columns[schema, name])
            for of_kind, schema, name, comment in objects
            if of_kind == kind
        ]
    parts.append(_list_of_macros(con.execute(_MACRO_COMMENTS).fetchall()))
    parts.append(_list_of_files("Checks", "checks"))
    parts.append(_list_of_files("Named queries", "queries"))
    return "\n".join(parts)


def dictionary_of_an_empty_warehouse() -> str:
    """Return the dictionary of today's schema."""
    from warmline.database import open_without_warehouse

    with open_without_warehouse() as con:
        define_tables(con)
        define_views(con)
        return dictionary(con)


def _picture(keyed: list[str]) -> str:
    lines = ["```mermaid", "erDiagram"]
    for name in keyed:
        one = "||--o|" if name in _ONE_A_CALL else "||--o{"
        lines.append(f'    calls {one} {name} : "call_id"')
    lines += [f'    {a} {link} {b} : "{columns}"' for a, link, b, columns in _LINKS]
    return "\n".join([*lines, "```", ""])


def _section(
    schema: str, name: str, comment: str | None, columns: list[tuple[str, str, str | None]]
) -> str:
    full = name if schema == "main" else f"{schema}.{name}"
    head = [f"### {full}", "", comment or "", "", "| column | type | meaning |", "|---|---|---|"]
    rows = [f"| `{column}` | {kind} | {meaning or ''} |" for column, kind, meaning in columns]
    return "\n".join([*head, *rows, ""])


def _list_of_macros(macros: list[tuple[str, list[str], str | None]]) -> str:
    lines = [f"- `{name}({', '.join(given)})`: {comment or ''}" for name, given, comment in macros]
    return "\n".join(["## Macros", "", *lines, ""])


def _list_of_files(title: str, kind: str) -> str:
    lines = [f"- `{file.name}`: {file.description}" for file in sql_files(kind)]
    return "\n".join([f"## {title}", "", *lines, ""])


# What the columns of an answer mean.

#: What a description says of a column: at the beginning of a sentence, or of a part of one.
_OWN_MEANING = r"(?:^|[.;:] )(?:\w+, )*{column}(?:, \w+)*: (.+?)(?:[;.] |\.?$)"
#: What is told of columns: table or view, column, meaning.
COLUMN_COMMENTS = """
SELECT table_name, column_name, comment FROM duckdb_columns()
WHERE NOT internal AND schema_name = 'main' AND comment IS NOT NULL
"""


def meanings_among(
    comments: Iterable[Sequence[Any]], question: str, columns: Sequence[str]
) -> dict[str, str]:
    """Return what columns of an answer mean, as far as it is told in `COLUMN_COMMENTS`, its rows.

    A named query may tell it in its description, or `warehouse/queries/columns.toml` of it; else a
    column means what it does in a table or view that the question reads; else what that file says
    of the name; else what it means wherever there is one of that name.
    """
    asked = next((file for file in sql_files("queries") if file.name == question), None)
    said = asked.description if asked else ""
    read = re.findall(
        r"(?i)\b(?:FROM|JOIN)\s+\"?(?:facts\.)?(\w+)", asked.text if asked else question
    )
    read = list(dict.fromkeys(read or [question]))
    of_name, of_queries = _written_meanings() if asked else ({}, {})
    of_query = of_queries.get(question, {})
    tables: dict[str, dict[str, str]] = {}
    for table, name, text in comments:
        tables.setdefault(name, {})[table] = text
    meanings = {}
    for column in columns:
        own = re.search(_OWN_MEANING.format(column=re.escape(column)), said)
        told = tables.get(column, {})
        near = [told[word] for word in read if word in told]  # the table that is named first
        alike = [*told.values()] if len(set(told.values())) == 1 else []
        found = [own[1] if own else None, of_query.get(column), *near, of_name.get(column), *alike]
        if meaning := next(filter(None, found), None):
            meanings[column] = meaning
    return meanings


@cache
def _written_meanings() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return what is written of columns, by name, and for single queries."""
    import tomllib

    path = folder("warehouse") / "queries" / "columns.toml"
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    of_name = {name: text for name, text in told.items() if isinstance(text, str)}
    return of_name, {name: texts for name, texts in told.items() if name not in of_name}


if __name__ == "__main__":
    sys.stdout.write(dictionary_of_an_empty_warehouse())
