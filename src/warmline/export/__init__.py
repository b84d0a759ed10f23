"""Files that other tools read: who spoke when, what was said, in their formats."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from warmline.analysis import CallAnalysis
from warmline.database import open_for_reading
from warmline.errors import QueryError, Status
from warmline.export.formats import ENDINGS, EXPORTERS, file_stems, session_id
from warmline.landing import Known, known, read_landed
from warmline.warehouse.call_names import NamedCall, all_calls, find_call, shortened
from warmline.whole_files import write_text_whole

__all__ = ["ENDINGS", "EXPORTERS", "Chosen", "choose", "export"]


@dataclass(frozen=True)
class Chosen:
    """Analyzed calls of a warehouse that are to be written as files.

    `stems` has the beginning of the file's name for every call. `missing` are calls whose analysis
    cannot be read, `unpublished` is how many analyses have landed that the warehouse does not show.
    """

    landing_dir: Path
    calls: tuple[NamedCall, ...]
    stems: Mapping[str, str] = field(hash=False)
    missing: tuple[NamedCall, ...]
    unpublished: int
    landed: Known = field(repr=False, hash=False)

    def analyses(self) -> Iterator[tuple[CallAnalysis, str]]:
        """Yield each analysis, called as in the warehouse, with the stem of its file's name."""
        entries = {call.landing_key: call for call in self.calls}
        for entry in self.landed:
            call = entries.get(entry.landing_key)
            if call is not None:
                analysis = read_landed(self.landing_dir, entry)
                metadata = replace(analysis.metadata, call_id=call.call_id)
                yield replace(analysis, metadata=metadata), self.stems[call.call_id]


def choose(landing_dir: Path, warehouse: Path, calls: Sequence[str]) -> Chosen:
    """Return the calls that are meant, or all analyzed ones for an empty list.

    A call is named as in the warehouse, by its id if no other call claims that, or by its
    recording's path. Raises QueryError naming a call that is not there, or that was not analyzed;
    WarehouseError when there is no warehouse.
    """
    everything = all_calls(warehouse)
    analyzed = tuple(call for call in everything if call.status is Status.ANALYZED)
    wanted = _meant(warehouse, calls) if calls else analyzed
    landed = known(landing_dir)
    keys = {entry.landing_key for entry in landed}
    there = {entry.landing_key for entry in landed if entry.status is Status.ANALYZED}
    return Chosen(
        landing_dir,
        tuple(call for call in wanted if call.landing_key in keys),
        file_stems([call.call_id for call in everything]),
        tuple(call for call in wanted if call.landing_key not in keys),
        len(there - {call.landing_key for call in everything}),
        landed,
    )


def _meant(warehouse: Path, calls: Sequence[str]) -> tuple[NamedCall, ...]:
    found = []
    with open_for_reading(warehouse) as con:
        for text in calls:
            call = find_call(con, text)
            if call.status is not Status.ANALYZED:
                raise QueryError(
                    f"{shortened(call.call_id)}: {call.status}, there is nothing to export; "
                    "`warmline show` says why"
                )
            found.append(call)
    return tuple(dict.fromkeys(found))


def export(analysis: CallAnalysis, format_name: str, folder: Path, stem: str | None = None) -> Path:
    """Write one call in one of `EXPORTERS`' formats; returns the file.

    `stem` begins the file's name, and names the call in formats that forbid spaces (see
    `file_stems`). Raises QueryError naming the file when it cannot be written.
    """
    name = stem or session_id(analysis)
    path = folder / f"{name}.{ENDINGS[format_name]}"
    return write_text_whole(path, EXPORTERS[format_name](analysis, name), QueryError, "the call")
