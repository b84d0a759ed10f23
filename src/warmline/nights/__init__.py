"""The morning after: what the night did, what it could not do, and what is not as it was."""

from warmline.nights.drift import WATCHED, Day, Drift, Watched
from warmline.nights.files import refresh_reports, report_files, write_report
from warmline.nights.history import last_night, read_night
from warmline.nights.rendering import as_html, as_markdown
from warmline.nights.report import NightReport, RunFacts
from warmline.nights.runs import forget_names, forget_runs, prefect_home

__all__ = [
    "WATCHED",
    "Day",
    "Drift",
    "NightReport",
    "RunFacts",
    "Watched",
    "as_html",
    "as_markdown",
    "forget_names",
    "forget_runs",
    "last_night",
    "prefect_home",
    "read_night",
    "refresh_reports",
    "report_files",
    "write_report",
]
