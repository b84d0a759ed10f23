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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmline.api import analyze, ask, open_warehouse, show
    from warmline.errors import WarmlineError
    from warmline.language import score_turns
    from warmline.settings import load_settings

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

# Imported when first asked for, so that `import warmline` takes no time.
_HOMES = {
    "WarmlineError": "warmline.errors",
    "analyze": "warmline.api",
    "ask": "warmline.api",
    "load_settings": "warmline.settings",
    "open_warehouse": "warmline.api",
    "score_turns": "warmline.language",
    "show": "warmline.api",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
