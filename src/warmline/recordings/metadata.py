"""What is known of a call besides its sound: beside the file, in a table, in the file's name."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from warmline.recordings.fields import Fields, as_text, read_fields
from warmline.recordings.pseudonyms import pseudonym_key, without_names
from warmline.recordings.remote import MAX_SIDECAR_BYTES, RemoteFile
from warmline.recordings.table import MetadataTable, read_table
from warmline.settings import RecordingSettings
from warmline.values import CallMetadata

__all__ = ["MetadataTable", "read_metadata", "read_table"]

PROBLEM = "metadata_problem"  # keys of `CallMetadata.extra`
NOTE = "metadata_note"


def read_metadata(
    recording: Path | RemoteFile, settings: RecordingSettings, table: MetadataTable | None
) -> CallMetadata:
    """All that is known of a call, field by field from the first place that has it.

    The places: a JSON object in `call.wav.json` or `call.json` beside `call.wav` (beside a remote
    recording, as it was when that was listed); the row of the table; the file's name by
    `settings.name_patterns`. The call id is the file's stem where none of
    them says. Times without a zone are in `settings.timezone`. Never raises for what a sidecar
    holds: the call can be analyzed all the same, and `extra["metadata_problem"]` tells the file,
    line or field, and what is wrong with it. A JSON file that is no object is not metadata, which
    `extra["metadata_note"]` says. Names of agents are pseudonyms where the settings name a key for
    them; raises EncryptionError when that is not there.
    """
    zone = UTC if settings.timezone == "UTC" else ZoneInfo(settings.timezone)
    path = recording if isinstance(recording, Path) else recording.path
    raw, remarks = _sidecar(recording)
    key = pseudonym_key(settings)

    def read(fields: Mapping[str, Any]) -> Fields:
        return without_names(read_fields(fields, zone), key)

    sidecar, file_name = read(raw), read(_from_name(path, settings))
    said = (fields.known.get("call_id") for fields in (sidecar, file_name))
    call_id = next(filter(None, said), as_text(path.stem))
    row = table.row_for(path, call_id) if table else None
    places = {"sidecar": sidecar, "csv": read(row or {}), "file_name": file_name}
    known: dict[str, Any] = {"call_id": call_id}
    extra: dict[str, str] = {}
    for fields in reversed(places.values()):
        known.update(fields.known)
        extra.update(fields.extra)
    problems = [*_problems(places), *filter(None, [remarks.pop(PROBLEM, None)])]
    if problems:
        remarks[PROBLEM] = "; ".join(problems)
    source = "+".join(name for name, fields in places.items() if fields.known or fields.extra)
    return CallMetadata(**known, extra=extra | remarks, source=source or "none")


def _problems(places: dict[str, Fields]) -> list[str]:
    return [
        f"{place}, {name}: {problem}"
        for place, fields in places.items()
        for name, problem in fields.problems.items()
    ]


def _from_name(path: Path, settings: RecordingSettings) -> dict[str, str]:
    """The named groups of the first pattern that is found in the file's stem."""
    stem = unicodedata.normalize("NFC", path.stem)
    for pattern in settings.name_patterns:
        if match := re.search(pattern, stem):
            return {name: value for name, value in match.groupdict().items() if value}
    return {}


def _sidecar(recording: Path | RemoteFile) -> tuple[dict[str, Any], dict[str, str]]:
    """The first JSON object beside a file, with remarks on what was passed over to find it."""
    remarks: dict[str, str] = {}
    for name, read in _beside(recording):
        try:
            content = _parsed(read())
        except (OSError, ValueError) as e:
            remarks[PROBLEM] = f"{as_text(name)}: {e}"
            continue
        if isinstance(content, dict):
            return content, remarks
        remarks[NOTE] = f"{as_text(name)}: ignored, it holds no object of fields"
    return {}, remarks


def _beside(recording: Path | RemoteFile) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of the JSON files beside a recording, and what gives their beginning."""
    if isinstance(recording, RemoteFile):
        for file in recording.beside:
            yield file.name, partial(bytes, file.content)
        return
    for candidate in (
        recording.with_name(f"{recording.name}.json"),
        recording.with_suffix(".json"),
    ):
        if candidate != recording and candidate.is_file():
            yield candidate.name, partial(_head, candidate)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_SIDECAR_BYTES + 1)


def _parsed(data: bytes) -> Any:
    """The content of a JSON file; raises `ValueError` with a sentence that names the line."""
    if len(data) > MAX_SIDECAR_BYTES:
        raise ValueError(f"larger than {MAX_SIDECAR_BYTES} bytes, too large for metadata")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        raise ValueError("not UTF-8") from e
    except json.JSONDecodeError as e:
        raise ValueError(f"line {e.lineno}, column {e.colno}: not valid JSON ({e.msg})") from e
    except ValueError as e:
        raise ValueError("holds a number of too many digits") from e
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
