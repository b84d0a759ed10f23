"""The functions that programs and notebooks call; `import warmline` offers them by these names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from warmline.database import open_for_reading
from warmline.query import questions
from warmline.query.calls import CallPage, read_page
from warmline.query.questions import QueryResult
from warmline.recordings.remote import as_source
from warmline.run import RunRequest, RunResult, require_there, run
from warmline.settings import Settings
from warmline.warehouse.landing_folder import (
    known_places,
    show_landed_evaluations,
    show_landed_reviews,
)


def analyze(
    *sources: Path | str,
    warehouse: Path | str | None = None,
    landing: Path | str | None = None,
    metadata: Path | str | None = None,
    settings: Settings | None = None,
) -> RunResult:
    """Analyze what is pending and publish the warehouse, as `warmline analyze` does.

    Sources are paths of recordings and folders, and URLs of remote places. The warehouse and its
    landing folder are those of the settings unless they are named; `metadata` is a CSV of what is
    known of the calls. Calls that cannot be analyzed are counted in the result's `summary`. Raises
    `WarmlineError` for what concerns the run as a whole: a path that is not there, a model that was
    not pulled, a landing folder that is another warehouse's.

    Calls are analyzed in other processes: a script calls this under `if __name__ == "__main__":`.
    """
    chosen = settings or Settings()
    named = tuple(as_source(source) if isinstance(source, str) else source for source in sources)
    require_there(named)
    places = known_places(chosen, _path(landing), _path(warehouse))
    return run(RunRequest(named, chosen, places, _path(metadata)))


def open_warehouse(path: Path | str) -> duckdb.DuckDBPyConnection:
    """Open a warehouse for reading; reviews and evaluations given since it was published are seen.

    A connection holds the file as it was when it was opened: close it, and open another, to see
    what the next run publishes. An encrypted warehouse is opened with the key that the environment
    gives. Raises `WarehouseError` when there is none at this path, or the key is not its key.
    """
    file = Path(path)
    con = open_for_reading(file)
    show_landed_reviews(con, file)
    show_landed_evaluations(con, file)
    return con


def ask(
    path: Path | str, name_or_sql: str, parameters: Mapping[str, Any] | None = None
) -> QueryResult:
    """Answer a named query (`warmline query --list`) or a SELECT, in a process of its own.

    It can change nothing, and ends at the limits of time and memory that `warmline query` has.
    Raises `QueryError` for a query that is wrong, refused, or takes too long.
    """
    if name_or_sql in questions.named_queries():
        return questions.ask_named(Path(path), name_or_sql, dict(parameters or {}))
    return questions.ask(Path(path), name_or_sql, parameters)


def show(path: Path | str, call_id: str) -> CallPage:
    """Return the rows of one call, table by table, as `warmline show` prints them.

    `call_id` is the call's id, the beginning of it, or the name of its file. Raises `QueryError`
    when no call, or more than one, is meant; `WarehouseError` when there is no warehouse.
    """
    return read_page(Path(path), call_id)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)
