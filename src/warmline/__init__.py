"""warmline: an offline analyzer of recorded customer-service calls.

What a program or a notebook needs is here; the command line does the same with more options.

    import warmline

    result = warmline.analyze("recordings/", warehouse="calls.duckdb")
    result.summary.by_status                                # {"analyzed": 12, "refused": 1, ...}
    con = warmline.open_warehouse("calls.duckdb")           # a DuckDB connection, read only
    con.sql("SELECT call_id, answered, answerable FROM call_summary").show()
    warmline.ask("calls.duckdb", "unanswered_cues").rows    # a named query, or a SELECT
    warmline.show("calls.duckdb", "lost-card").opportunities
    warmline.score_turns([{"speaker": "customer", "text": "I am really scared."}])

- `analyze` runs what is pending: find, plan, analyze, publish (module `warmline.run`).
- `open_warehouse`, `ask` and `show` read the warehouse; its tables are in warehouse/README.md.
- `score_turns` reads turns of text, without a recording.
- `load_settings` reads a settings file (`warmline settings` prints all settings).
- `WarmlineError` is the base of every error that a user can do something about.

A rate carries its counts; NULL is not zero, and a missing value has a reason. The agent's
behaviour is measured, never the agent's feelings. What each measure means, and how it was
validated, stands in docs/metrics.md and in the warehouse's table `metric_definitions`.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

    from warmline.errors import WarmlineError
    from warmline.language import score_turns
    from warmline.query.calls import CallPage
    from warmline.query.questions import QueryResult
    from warmline.run import RunResult
    from warmline.settings import Settings, load_settings

__version__ = "0.1.0"

__all__ = [
    "WarmlineError",
    "analyze",
    "ask",
    "load_settings",
    "open_warehouse",
    "score_turns",
    "show",
]

# What these functions need is imported when they are called, and what others define when it is
# first asked for, so that `import warmline` takes no time.
_HOMES = {
    "WarmlineError": "warmline.errors",
    "load_settings": "warmline.settings",
    "score_turns": "warmline.language",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def analyze(
    *sources: Path | str,
    warehouse: Path | str | None = None,
    landing: Path | str | None = None,
    metadata: Path | str | None = None,
    settings: "Settings | None" = None,
) -> "RunResult":
    """Analyze what is pending and publish the warehouse, as `warmline analyze` does.

    Sources are paths of recordings and folders, and URLs of remote places. The warehouse and its
    landing folder are those of the settings unless they are named; `metadata` is a CSV of what is
    known of the calls. Calls that cannot be analyzed are counted in the result's `summary`. Raises
    `WarmlineError` for what concerns the run as a whole: a path that is not there, a model that was
    not pulled, a landing folder that is another warehouse's.

    Calls are analyzed in other processes: a script calls this under `if __name__ == "__main__":`.
    """
    from warmline.recordings.remote import as_source
    from warmline.run import RunRequest, require_there, run
    from warmline.settings import Settings
    from warmline.warehouse.landing_folder import known_places

    chosen = settings or Settings()
    named = tuple(as_source(source) if isinstance(source, str) else source for source in sources)
    require_there(named)
    places = known_places(chosen, _path(landing), _path(warehouse))
    return run(RunRequest(named, chosen, places, _path(metadata)))


def open_warehouse(path: Path | str) -> "duckdb.DuckDBPyConnection":
    """Open a warehouse for reading; reviews and evaluations given since it was published are seen.

    A connection holds the file as it was when it was opened: close it, and open another, to see
    what the next run publishes. An encrypted warehouse is opened with the key that the environment
    gives. Raises `WarehouseError` when there is none at this path, or the key is not its key.
    """
    from warmline.database import open_for_reading
    from warmline.warehouse.landing_folder import show_landed_evaluations, show_landed_reviews

    file = Path(path)
    con = open_for_reading(file)
    show_landed_reviews(con, file)
    show_landed_evaluations(con, file)
    return con


def ask(
    path: Path | str, name_or_sql: str, parameters: Mapping[str, Any] | None = None
) -> "QueryResult":
    """Answer a named query (`warmline query --list`) or a SELECT, in a process of its own.

    It can change nothing, and ends at the limits of time and memory that `warmline query` has.
    Raises `QueryError` for a query that is wrong, refused, or takes too long.
    """
    from warmline.query import questions

    if name_or_sql in questions.named_queries():
        return questions.ask_named(Path(path), name_or_sql, dict(parameters or {}))
    return questions.ask(Path(path), name_or_sql, parameters)


def show(path: Path | str, call_id: str) -> "CallPage":
    """Return the rows of one call, table by table, as `warmline show` prints them.

    `call_id` is the call's id, the beginning of it, or the name of its file. Raises `QueryError`
    when no call, or more than one, is meant; `WarehouseError` when there is no warehouse.
    """
    from warmline.query.calls import read_page

    return read_page(Path(path), call_id)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)
