"""Read the metadata of a call: from a file beside it, a table, or its file name."""

import dataclasses
import hmac
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from warmline.encryption import Key, key_in
from warmline.recordings.fields import (
    Fields,
    MetadataTable,
    as_text,
    canonical,
    read_fields,
    read_table,
)
from warmline.recordings.remote import MAX_SIDECAR_BYTES, RemoteFile
from warmline.redaction import redact_field, redact_text
from warmline.settings import RecordingSettings, RedactionSettings
from warmline.values import CallMetadata

__all__ = ["MetadataTable", "read_metadata", "read_table"]

# Agents' names are replaced by pseudonyms before anything is planned, analyzed or stored.


_PURPOSE = b"warmline: agent\0"
_HEX_DIGITS = 16  # 64 bits: of ten thousand agents, two share one once in 4e11 times


def pseudonym_key(settings: RecordingSettings) -> Key | None:
    """Return the key of pseudonyms; None where the settings name none, and names stay.

    Raises EncryptionError when the named key is missing: names are not stored instead.
    """
    return key_in(settings.pseudonym_key_env, settings.pseudonym_key_file, "recordings.pseudonym_")


def pseudonym(name: str, key: Key) -> str:
    """Return the pseudonym of an agent's name or id."""
    said = unicodedata.normalize("NFC", name.strip()).encode("utf-8", "replace")
    return "agent-" + hmac.digest(key.secret, _PURPOSE + said, "sha256").hex()[:_HEX_DIGITS]


def without_names(fields: Fields, key: Key | None) -> Fields:
    """Return the fields with a pseudonym in place of any field about the agent."""
    if key is None:
        return fields
    known = dict(fields.known)
    if "agent_id" in known:
        known["agent_id"] = pseudonym(known["agent_id"], key)
    problems = {
        name: "not usable, and not shown, as it may be a name" if _is_of_agent(name) else problem
        for name, problem in fields.problems.items()
    }
    return dataclasses.replace(
        fields, known=known, extra=_hidden(fields.extra, key), problems=problems
    )


def _hidden(extra: Mapping[str, str], key: Key) -> dict[str, str]:
    return {
        name: pseudonym(text, key) if _is_of_agent(name) else text for name, text in extra.items()
    }


def _is_of_agent(name: str) -> bool:
    return canonical(name).startswith("agent")


PROBLEM = "metadata_problem"  # keys of `CallMetadata.extra`
NOTE = "metadata_note"
_TABLE = "csv"  # as `CallMetadata.source` names it
#: Between two remarks, each of which begins with its place; a sentence may hold a semicolon.
_NEXT = re.compile(r"; (?=(?:sidecar|csv|file_name), |[^;]*\.json: )")
_REDACTION = RedactionSettings()


def read_metadata(
    recording: Path | RemoteFile,
    settings: RecordingSettings,
    table: MetadataTable | None,
    redaction: RedactionSettings = _REDACTION,
    before: CallMetadata | None = None,
) -> CallMetadata:
    """Return the metadata of a call, field by field from the first source that has it.

    The sources: a JSON object in `call.wav.json` or `call.json` beside `call.wav` (for a remote
    recording, as it was when that was listed); the row of the table; the file's name by
    `settings.name_patterns`. The call id is the file's stem if no source has one. Times without a
    zone are in `settings.timezone`. Never raises for the content of a sidecar: the call can be
    analyzed all the same, and `extra["metadata_problem"]` names the file, line or field, and what
    is wrong with it. What is used and may not be meant (a start in the future, a mistyped name),
    and a JSON file that is no object, and so no metadata, are in `extra["metadata_note"]`. Where no
    table has a row of the call now, what one said `before`, in an earlier analysis of it, still
    holds: a table may be that of one day. Private words in the reason and in further fields are
    redacted by `redaction`; ids, by which calls are joined, stay. Names of agents are
    pseudonyms where the settings name a key for them; raises EncryptionError when that key is
    missing.
    """
    zone = UTC if settings.timezone == "UTC" else ZoneInfo(settings.timezone)
    path = recording if isinstance(recording, Path) else recording.path
    raw, remarks = _sidecar(recording, settings.follow_links)
    key = pseudonym_key(settings)

    def read(fields: Mapping[str, Any]) -> Fields:
        return without_names(read_fields(fields, zone), key)

    sidecar, file_name = read(raw), read(_from_name(path, settings))
    said = (fields.known.get("call_id") for fields in (sidecar, file_name))
    call_id = next(filter(None, said), as_text(path.stem))
    row = table.row_for(path, call_id) if table else None
    from_table = read(row) if row is not None else _kept(before)
    places = {"sidecar": sidecar, _TABLE: from_table, "file_name": file_name}
    known: dict[str, Any] = {"call_id": call_id}
    extra: dict[str, str] = {}
    for fields in reversed(places.values()):
        known.update(fields.known)
        extra.update(fields.extra)
    problems = [*_told(places, "problems"), *filter(None, [remarks.pop(PROBLEM, None)])]
    if problems:
        remarks[PROBLEM] = "; ".join(problems)
    doubts = [*_told(places, "doubts"), *filter(None, [remarks.pop(NOTE, None)])]
    if doubts:
        remarks[NOTE] = "; ".join(doubts)
    if "reason" in known:
        known["reason"] = redact_field("reason", known["reason"], redaction)
    extra = {name: redact_field(name, text, redaction) for name, text in extra.items()}
    remarks = {name: redact_remark(text, redaction) for name, text in remarks.items()}
    source = "+".join(name for name, fields in places.items() if fields.known or fields.extra)
    return CallMetadata(**known, extra=extra | remarks, source=source or "none")


#: What is said of a time, which is stored as given, and of the offsets that it may be meant with.
_OF_TIMES = re.compile(
    r"""(\s*'(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d)
    |\d{8}T\d{4,6})
    (?:[ tT_]\d{1,2}[:.-]\d\d(?:[:.-]\d\d)?(?:\ ?(?:[AaPp][Mm]|[A-Z]{1,4}|[+-]\d\d:?\d\d))?)?'
    (?=\ is\ not\ a\ time|\ is\ in\ the\ future|\ was\ (?:never|twice)\ on\ the\ clocks)
    |\s+[+-]\d\d:\d\d\ or\ [+-]\d\d:\d\d\b)""",
    re.VERBOSE | re.ASCII,
)


def redact_remark(text: str, redaction: RedactionSettings) -> str:
    """Return a remark on metadata without what is private; dates of calls, and offsets, stay."""
    parts = _OF_TIMES.split(text)
    return "".join(
        part if place % 2 else redact_text(part, redaction) for place, part in enumerate(parts)
    )


def is_of_table(metadata: CallMetadata) -> bool:
    """Return whether a table had a row of the call."""
    return _TABLE in metadata.source.split("+")


def _kept(before: CallMetadata | None) -> Fields:
    """Return what an earlier analysis knew of a call, if some of it was from a table."""
    if before is None or not is_of_table(before):
        return Fields()
    known = {
        field.name: value
        for field in dataclasses.fields(before)
        if field.name not in ("extra", "source") and (value := getattr(before, field.name))
    }
    extra = {name: text for name, text in before.extra.items() if name not in (PROBLEM, NOTE)}
    problems, doubts = _of_table(before.extra.get(PROBLEM)), _of_table(before.extra.get(NOTE))
    return Fields(known, extra, problems, doubts)


def _of_table(told: str | None) -> dict[str, str]:
    said = (each.partition(": ") for each in _NEXT.split(told or ""))
    return {
        place.removeprefix(f"{_TABLE}, "): sentence
        for place, _, sentence in said
        if place.startswith(f"{_TABLE}, ")
    }


def _told(places: dict[str, Fields], what: Literal["problems", "doubts"]) -> list[str]:
    return [
        f"{place}, {name}: {sentence}"
        for place, fields in places.items()
        for name, sentence in getattr(fields, what).items()
    ]


def _from_name(path: Path, settings: RecordingSettings) -> dict[str, str]:
    """Return the named groups of the first pattern found in the file's stem."""
    stem = unicodedata.normalize("NFC", path.stem)
    for pattern in settings.name_patterns:
        if match := re.search(pattern, stem):
            return {name: value for name, value in match.groupdict().items() if value}
    return {}


def is_free_of_private(content: bytes, redaction: RedactionSettings) -> bool:
    """Return whether a sidecar holds nothing that is to be hidden, and may be remembered."""
    try:
        fields = _parsed(content)
    except ValueError:
        return False
    return isinstance(fields, dict) and all(
        redact_field(as_text(name), as_text(value), redaction) == as_text(value)
        for name, value in fields.items()
    )


def _sidecar(
    recording: Path | RemoteFile, follow_links: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the first JSON object beside a file, with notes on what was skipped to find it."""
    remarks: dict[str, str] = {}
    for name, read in _beside(recording, follow_links):
        try:
            content = _parsed(read())
        except (OSError, ValueError) as e:
            remarks[PROBLEM] = f"{as_text(name)}: {e}"
            continue
        if isinstance(content, dict):
            return content, remarks
        remarks[NOTE] = f"{as_text(name)}: ignored, it holds no object of fields"
    return {}, remarks


def _beside(
    recording: Path | RemoteFile, follow_links: bool
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield names of the JSON files beside a recording, and functions that read their beginning."""
    if isinstance(recording, RemoteFile):
        for file in recording.beside:
            yield file.name, partial(bytes, file.content)
        return
    for candidate in (
        recording.with_name(f"{recording.name}.json"),
        recording.with_suffix(".json"),
    ):
        if candidate != recording and candidate.is_file():
            yield candidate.name, partial(_head, candidate, follow_links)


def _head(path: Path, follow_links: bool) -> bytes:
    """Return the beginning of a sidecar. Raises ValueError for a link out of its folder."""
    if follow_links or not path.is_symlink():
        flags = 0 if follow_links else os.O_NOFOLLOW
    else:
        folder, path, flags = path.parent.resolve(), path.resolve(), os.O_NOFOLLOW
        if not path.is_relative_to(folder):
            raise ValueError(
                "a link that leads out of the folder of its recording, not read "
                "(recordings.follow_links allows it)"
            )
    with open(os.open(path, os.O_RDONLY | flags), "rb") as file:  # noqa: PTH123  (a descriptor)
        return file.read(MAX_SIDECAR_BYTES + 1)


def _parsed(data: bytes) -> Any:
    """Return the content of a JSON file. Raises `ValueError` with a sentence naming the line."""
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
