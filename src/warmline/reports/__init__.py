"""Reports of nightly runs: what was done, what could not be done, and what has changed."""

from warmline.reports.drift import (
    WATCHED,
    Day,
    Drift,
    Watched,
)
from warmline.reports.monitoring import (
    Health,
    RunRecord,
    as_metrics,
    last_night,
    note_end,
    noted,
    read_health,
    read_night,
    refresh_reports,
    report_files,
    runs_of,
    write_metrics,
    write_report,
)
from warmline.reports.report import NightReport, RunFacts, as_html, as_markdown
from warmline.reports.runs import (
    forget_names,
    forget_runs,
    make_prefect_home,
    prefect_home,
)

__all__ = [
    "WATCHED",
    "Day",
    "Drift",
    "Health",
    "NightReport",
    "RunFacts",
    "RunRecord",
    "Watched",
    "as_html",
    "as_markdown",
    "as_metrics",
    "forget_names",
    "forget_runs",
    "last_night",
    "make_prefect_home",
    "note_end",
    "noted",
    "prefect_home",
    "read_health",
    "read_night",
    "refresh_reports",
    "report_files",
    "runs_of",
    "write_metrics",
    "write_report",
]
