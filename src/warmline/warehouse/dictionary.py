"""The data dictionary: every table, view and column with its meaning, from the comments in the SQL.

`python -m warmline.warehouse.dictionary > warehouse/README.md` writes it anew.
"""

import sys
from collections import defaultdict

import duckdb

from warmline.database import open_without_warehouse
from warmline.warehouse.tables import define_tables, define_views, sql_files

_OBJECTS = """
SELECT 'table' AS kind, schema_name, table_name AS name, comment
FROM duckdb_tables() WHERE NOT internal
UNION ALL
SELECT 'view', schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal
ORDER BY kind, schema_name DESC, name
"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, comment
FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index
"""

_MACROS = """
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
    ("opportunities", "|o--o{", "reviews", "name, start_s, end_s"),
    ("metrics", "|o--o{", "reviews", "name, role"),
)

_ONE_A_CALL = ("call_measures", "customer_opening")

_INTRODUCTION = """# The warehouse

<!-- Written by `python -m warmline.warehouse.dictionary`; edit the comments in the SQL instead. -->

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

`call_id` is the key of a call and what to join by: every table of single calls has it, but for the
postings of the search index. `call_no` is an internal number, which changes when a call is loaded
again.

Times of day are UTC; times in a call are seconds from the beginning of the recording. NULL means
that it cannot be said, which is never zero; `metrics.reason` says why.
"""


def dictionary(con: duckdb.DuckDBPyConnection) -> str:
    """The dictionary of a warehouse as Markdown, with a picture of how its tables hang together."""
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
    parts.append(_list_of_macros(con.execute(_MACROS).fetchall()))
    parts.append(_list_of_files("Checks", "checks"))
    parts.append(_list_of_files("Named queries", "queries"))
    return "\n".join(parts)


def dictionary_of_an_empty_warehouse() -> str:
    """The dictionary of today's schema."""
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
    lines = []
    for file in sql_files(kind):
        said = " ".join(line for line in file.header.splitlines() if not line.startswith("$"))
        lines.append(f"- `{file.name}`: {said}")
    return "\n".join([f"## {title}", "", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(dictionary_of_an_empty_warehouse())
