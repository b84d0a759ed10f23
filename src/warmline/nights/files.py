"""The reports that lie beside the warehouse: one a run, as Markdown and as an HTML page.

`reports/<warehouse>-<day>T<time>Z.md` and `.html`, with the run's own counts in `.json`; the time
is that at which the run began (UTC). Without a time it is the report of a day.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from warmline.errors import WarehouseError
from warmline.nights.history import read_night
from warmline.nights.monitoring import FOLDER, read_run, run_file
from warmline.nights.rendering import as_html, as_markdown
from warmline.nights.report import NightReport, RunFacts
from warmline.settings import NightSettings
from warmline.whole_files import write_text_whole


@dataclass(frozen=True)
class _Written:
    """A report that lies there: of a day, or of the run that began at that time."""

    night: date
    started_at: datetime | None


def report_files(
    warehouse: Path, night: date, started_at: datetime | None = None
) -> tuple[Path, Path]:
    """Where the report of a day, or of a run, lies: the Markdown file and the HTML page."""
    if started_at is not None:
        base = run_file(warehouse, started_at).with_suffix("")
    else:
        base = warehouse.parent / FOLDER / f"{warehouse.stem}-{night}"
    return Path(f"{base}.md"), Path(f"{base}.html")


def write_report(report: NightReport, warehouse: Path) -> Path:
    """Write the report of a run, or of a day in place of an earlier one; returns the HTML page.

    Raises `WarehouseError` naming the file when it cannot be written.
    """
    started_at = report.run.started_at if report.run else None
    markdown, page = report_files(warehouse, report.night, started_at)
    for path, text in ((markdown, as_markdown(report)), (page, as_html(report))):
        write_text_whole(path, text, WarehouseError, "the report")
    return page


def runs_of(warehouse: Path, night: date) -> tuple[RunFacts, ...]:
    """All runs that began on a day (UTC) and left a report, in order."""
    written = sorted({w.started_at for w in _written(warehouse) if w.started_at})
    found = (read_run(warehouse, at) for at in written if at.date() == night)
    return tuple(run for run in found if run)


def refresh_reports(warehouse: Path, settings: NightSettings) -> int:
    """Write all reports anew from what the warehouse holds now; returns how many there were.

    After calls were forgotten their names are in no report, and a report without calls is gone.
    What only the run knew is kept in counts; its remarks on files are gone. Raises `WarehouseError`
    as `read_night` and `write_report` do.
    """
    written = set(_written(warehouse))
    starts = sorted(w.started_at for w in written if w.started_at)
    for one in written:
        following = next((at for at in starts if one.started_at and at > one.started_at), None)
        run = read_run(warehouse, one.started_at) if one.started_at else None
        if one.started_at and run is None:
            run = RunFacts(0.0, 0, 0, 0, (), one.started_at)
        until = (following or datetime.now(UTC)) if one.started_at else None
        report = read_night(warehouse, one.night, settings, until=until, run=run)
        if report.calls:
            write_report(report, warehouse)
        else:
            for path in report_files(warehouse, one.night, one.started_at):
                path.unlink(missing_ok=True)
    return len(written)


def _written(warehouse: Path) -> Iterator[_Written]:
    pattern = re.compile(
        rf"{re.escape(warehouse.stem)}-(\d{{4}}-\d\d-\d\d)(?:T(\d{{6}})Z)?\.(md|html)"
    )
    folder = warehouse.parent / FOLDER
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if match := pattern.fullmatch(path.name):
            day = date.fromisoformat(match[1])
            time = datetime.strptime(match[2], "%H%M%S").time() if match[2] else None
            yield _Written(day, datetime.combine(day, time, UTC) if time else None)
