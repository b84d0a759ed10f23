"""The reports that lie beside the warehouse: `reports/<warehouse>-<night>.md` and `.html`."""

import re
from datetime import date
from pathlib import Path

from warmline.errors import WarehouseError
from warmline.nights.history import read_night
from warmline.nights.rendering import as_html, as_markdown
from warmline.nights.report import NightReport
from warmline.settings import NightSettings
from warmline.whole_files import write_text_whole

_FOLDER = "reports"


def report_files(warehouse: Path, night: date) -> tuple[Path, Path]:
    """Where the report of a night lies: the Markdown file and the HTML page."""
    base = warehouse.parent / _FOLDER / f"{warehouse.stem}-{night}"
    return Path(f"{base}.md"), Path(f"{base}.html")


def write_report(report: NightReport, warehouse: Path) -> tuple[Path, Path]:
    """Write the report of a night, in place of an earlier one of the same day.

    Raises `WarehouseError` naming the file when it cannot be written.
    """
    files = report_files(warehouse, report.night)
    for path, text in zip(files, (as_markdown(report), as_html(report)), strict=True):
        write_text_whole(path, text, WarehouseError, "the report")
    return files


def refresh_reports(warehouse: Path, settings: NightSettings) -> int:
    """Write all reports anew from what the warehouse holds now; returns how many there were.

    After calls were forgotten their names are in no report, and a night without calls has none.
    What only the run knew (its time, remarks on files) is gone from them. Raises `WarehouseError`
    as `read_night` and `write_report` do.
    """
    nights = sorted(_nights(warehouse))
    for night in nights:
        report = read_night(warehouse, night, settings)
        if report.calls:
            write_report(report, warehouse)
        else:
            for path in report_files(warehouse, night):
                path.unlink(missing_ok=True)
    return len(nights)


def _nights(warehouse: Path) -> set[date]:
    pattern = re.compile(rf"{re.escape(warehouse.stem)}-(\d{{4}}-\d\d-\d\d)\.(md|html)")
    folder = warehouse.parent / _FOLDER
    if not folder.is_dir():
        return set()
    matches = (pattern.fullmatch(path.name) for path in folder.iterdir())
    return {date.fromisoformat(match[1]) for match in matches if match}
