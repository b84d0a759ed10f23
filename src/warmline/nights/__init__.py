"""The morning after: what the night did, what it could not do, and what is not as it was."""

from warmline.nights.drift import WATCHED, Day, Drift, Watched
from warmline.nights.files import refresh_reports, report_files, runs_of, write_report
from warmline.nights.history import last_night, read_night
from warmline.nights.monitoring import (
    Health,
    RunRecord,
    as_metrics,
    note_end,
    noted,
    read_health,
    write_metrics,
)
from warmline.nights.rendering import as_html, as_markdown
from warmline.nights.report import NightReport, RunFacts
from warmline.nights.runs import forget_names, forget_runs, make_prefect_home, prefect_home

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
