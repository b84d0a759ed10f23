"""The SQL files of the repository's `warehouse/` folder: they say what, this package says when."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from warmline.errors import WarehouseError
from warmline.resources import folder


@dataclass(frozen=True)
class SqlFile:
    """One SQL file. `name` is the file's without `.sql`; `header` the comment it begins with."""

    name: str
    text: str

    @property
    def header(self) -> str:
        """The comment lines at the top, without their dashes."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return "\n".join(lines)


def sql_files(kind: str) -> tuple[SqlFile, ...]:
    """The files of one of the folders (`migrations`, `load`, ...), in order of name."""
    found = sorted((folder("warehouse") / kind).glob("*.sql"))
    return tuple(SqlFile(path.stem, _text(path)) for path in found)


def in_order_of_use(files: Iterable[SqlFile]) -> tuple[SqlFile, ...]:
    """The files, each after those whose names stand in its text as words."""
    named = {file.name: file for file in files}
    uses = {
        name: {other for other in named if other != name and re.search(rf"\b{other}\b", file.text)}
        for name, file in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(uses).static_order())


def digest(*files: SqlFile) -> str:
    """A digest of the files' names and texts."""
    text = "".join(f"{len(file.text)} {file.name}\n{file.text}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# Brings a warehouse, empty or of any earlier version, to today's tables and views.


_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, sha256 VARCHAR NOT NULL,
    applied_at TIMESTAMP NOT NULL);
COMMENT ON TABLE schema_migrations IS 'One row a migration that this warehouse has been through. Key: version.';
COMMENT ON COLUMN schema_migrations.version IS 'Number of the migration; they are applied in this order.';
COMMENT ON COLUMN schema_migrations.name IS 'The file in warehouse/migrations, without .sql.';
COMMENT ON COLUMN schema_migrations.sha256 IS 'Digest of the file when it was applied; a migration never changes afterwards.';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied, UTC.';
"""  # noqa: E501  one comment a line, as in the SQL files


def migrate(
    con: duckdb.DuckDBPyConnection, migrations: tuple[SqlFile, ...] | None = None
) -> tuple[str, ...]:
    """Apply the migrations that are missing, each in a transaction of its own; returns their names.

    Views are dropped first, so that a table may change under them; see `define_views`. Raises
    WarehouseError when the warehouse is newer than this warmline, when an applied migration was
    edited since, or when one fails (the ones before it stay applied).
    """
    migrations = sql_files("migrations") if migrations is None else migrations
    con.execute(_LEDGER)
    applied = dict(con.execute("SELECT version, sha256 FROM schema_migrations").fetchall())
    known = {_version(file): digest(file) for file in migrations}
    _refuse_strangers(applied, known)
    _drop_views(con)
    missing = tuple(file for file in migrations if _version(file) not in applied)
    for file in missing:
        _apply(con, file)
    return tuple(file.name for file in missing)


def define_views(con: duckdb.DuckDBPyConnection) -> None:
    """Create all views anew from `warehouse/views`."""
    _drop_views(con)
    for view in in_order_of_use(sql_files("views")):
        con.execute(view.text)


def _apply(con: duckdb.DuckDBPyConnection, file: SqlFile) -> None:
    con.begin()
    try:
        con.execute(file.text)
        con.execute(
            "INSERT INTO schema_migrations VALUES ($version, $name, $sha256, $now)",
            {
                "version": _version(file),
                "name": file.name,
                "sha256": digest(file),
                "now": datetime.now(UTC).replace(tzinfo=None),
            },
        )
        con.commit()
    except duckdb.Error as e:
        con.rollback()
        raise WarehouseError(f"migration {file.name}: {str(e).splitlines()[0]}") from e


def _refuse_strangers(applied: dict[int, str], known: dict[int, str]) -> None:
    for version, sha256 in sorted(applied.items()):
        if version not in known:
            raise WarehouseError(
                f"the warehouse has been through migration {version}, which this warmline does not "
                "know: it was made by a newer one"
            )
        if sha256 != known[version]:
            raise WarehouseError(
                f"migration {version} was edited after it was applied; undo the edit and add a new "
                "migration"
            )


def _drop_views(con: duckdb.DuckDBPyConnection) -> None:
    views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    for (name,) in views:
        con.execute(f'DROP VIEW IF EXISTS "{name}"')


def _version(file: SqlFile) -> int:
    found = re.match(r"(\d{4})_\w+$", file.name)
    if not found:
        raise WarehouseError(f"migration {file.name}: the name must be like 0007_what_it_does")
    return int(found[1])
