"""Files that other tools read: who spoke when, what was said, in their formats."""

from collections.abc import Iterator
from pathlib import Path

from warmline.analysis import CallAnalysis
from warmline.errors import QueryError
from warmline.export.formats import ENDINGS, EXPORTERS, session_id
from warmline.landing import Known, known, read_landed
from warmline.landing.known import Landed
from warmline.whole_files import write_text_whole

__all__ = ["ENDINGS", "EXPORTERS", "chosen", "export"]


def chosen(landing_dir: Path, calls: list[str]) -> Iterator[CallAnalysis]:
    """Landed analyses by call id or by the recording's path; all of them for an empty list.

    Raises `QueryError` naming the call that is not there.
    """
    landed = known(landing_dir)
    wanted = [_found(landed, call, landing_dir) for call in calls] if calls else list(landed)
    for entry in wanted:
        yield read_landed(landing_dir, entry)


def _found(landed: Known, call: str, landing_dir: Path) -> Landed:
    by_path = landed.by_path(str(Path(call).resolve()))
    found = by_path or next((entry for entry in landed if entry.call_id == call), None)
    if found is None:
        raise QueryError(
            f"no analysis of '{call}' in {landing_dir}: give a call id or a recording's path that "
            "was analyzed, or analyze it first"
        )
    return found


def export(analysis: CallAnalysis, format_name: str, folder: Path) -> Path:
    """Write one call in one of `EXPORTERS`' formats; the file is named after the call."""
    path = folder / f"{session_id(analysis)}.{ENDINGS[format_name]}"
    return write_text_whole(path, EXPORTERS[format_name](analysis), QueryError, "the call")
