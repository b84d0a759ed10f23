"""Export calls as files that other tools read: who spoke when, what was said, in their formats."""

import csv
import hashlib
import json
import re
import unicodedata
import wave
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from io import BytesIO
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyannote.core import Annotation, Segment

from warmline.analysis import CallAnalysis
from warmline.database import open_for_reading
from warmline.errors import QueryError, Status, first_line, shortened
from warmline.files import safe_cell, write_text_whole, write_whole
from warmline.landing import Known, known, read_landed
from warmline.query.calls import NamedCall, all_calls, find_call
from warmline.query.questions import QueryResult
from warmline.recordings import identify
from warmline.recordings.remote import is_remote
from warmline.recordings.sound import SAMPLE_RATE_HZ, decode
from warmline.settings import RecordingSettings
from warmline.values import RoleName, Span, Turn

__all__ = ["ENDINGS", "EXPORTERS", "Chosen", "choose", "export"]

# Analyses as the files that other tools read: one text per call.

# File names have at most 255 bytes, including the extension and that of a file being written.
_LONGEST_BYTES = 160
# `a.seglst` as JSON would be the file of `a` as a segment list.
_ENDINGS_LIKE = (".seglst", ".bleeped")

Exporter = Callable[[CallAnalysis, str | None], str]


def speaker_names(analysis: CallAnalysis) -> dict[str, str]:
    """Return a name per party: its role if no other party has it, else its label."""
    if analysis.speech is None or analysis.conversation is None:
        return {}
    role_of = analysis.conversation.role_of
    roles = {party: role_of(party) for party in analysis.speech.parties}
    bearers = Counter(roles.values())
    return {
        party: role.value if role is not RoleName.UNKNOWN and bearers[role] == 1 else party
        for party, role in roles.items()
    }


def as_rttm(analysis: CallAnalysis, name: str | None = None) -> str:
    """Return who spoke when (NIST Rich Transcription Time Marked), overlaps included."""
    names = speaker_names(analysis)
    annotation = Annotation(uri=name or session_id(analysis))
    for i, segment in enumerate(analysis.speech.segments if analysis.speech else ()):
        annotation[Segment(segment.start_s, segment.end_s), i] = names[segment.party]
    return annotation.to_rttm() if annotation else ""


def as_stm(analysis: CallAnalysis, name: str | None = None) -> str:
    """Return turns as NIST segment time marks: call, channel, speaker, start, end, text."""
    names, call = speaker_names(analysis), name or session_id(analysis)
    return _lines(
        f"{call} 1 {names[t.party]} {t.start_s:.3f} {t.end_s:.3f} {t.text}"
        for t in _turns(analysis)
    )


def as_seglst(analysis: CallAnalysis, name: str | None = None) -> str:
    """Return words as meeteval's segment list (JSON), one entry per word."""
    names, call = speaker_names(analysis), name or session_id(analysis)
    entries = [
        {
            "session_id": call,
            "speaker": names[w.party],
            "start_time": round(w.start_s, 3),
            "end_time": round(w.end_s, 3),
            "words": w.text,
        }
        for w in (analysis.transcript.words if analysis.transcript else ())
    ]
    return json.dumps(entries, ensure_ascii=False, indent=1) + "\n"


def as_ctm(analysis: CallAnalysis, name: str | None = None) -> str:
    """Return words as NIST conversation time marks: call, channel, start, length, word, confidence.

    The channel is the party's number, as the format has no speakers.
    """
    call = name or session_id(analysis)
    parties = analysis.speech.parties if analysis.speech else ()
    return _lines(
        f"{call} {parties.index(w.party) + 1} {w.start_s:.3f} {w.duration_s:.3f} "
        f"{w.text.replace(' ', '_')} {w.probability:.3f}"
        for w in (analysis.transcript.words if analysis.transcript else ())
    )


def as_srt(analysis: CallAnalysis) -> str:
    """Return turns as SubRip subtitles."""
    names = speaker_names(analysis)
    return _lines(
        f"{i}\n{_clock(t.start_s, ',')} --> {_clock(t.end_s, ',')}\n{names[t.party]}: {t.text}\n"
        for i, t in enumerate(_turns(analysis), start=1)
    )


def as_vtt(analysis: CallAnalysis) -> str:
    """Return turns as WebVTT captions, with voice tags."""
    names = speaker_names(analysis)
    return "WEBVTT\n\n" + _lines(
        f"{_clock(t.start_s, '.')} --> {_clock(t.end_s, '.')}\n"
        f"<v {names[t.party]}>{_escaped(t.text)}\n"
        for t in _turns(analysis)
    )


def as_json(analysis: CallAnalysis) -> str:
    """Return speakers, turns and their words in one JSON object."""
    names = speaker_names(analysis)
    words = analysis.transcript.words if analysis.transcript else ()
    content = {
        "call_id": analysis.metadata.call_id,
        "path": analysis.recording.path,
        "duration_s": analysis.duration_s,
        "language": analysis.transcript.language if analysis.transcript else None,
        "speakers": list(names.values()),
        "turns": [
            {
                "speaker": names[t.party],
                "start_s": round(t.start_s, 3),
                "end_s": round(t.end_s, 3),
                "text": t.text,
            }
            for t in _turns(analysis)
        ],
        "words": [
            {
                "speaker": names[w.party],
                "start_s": round(w.start_s, 3),
                "end_s": round(w.end_s, 3),
                "text": w.text,
                "probability": round(w.probability, 3),
            }
            for w in words
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


EXPORTERS: MappingProxyType[str, Exporter] = MappingProxyType(
    {
        "rttm": as_rttm,
        "stm": as_stm,
        "seglst": as_seglst,
        "ctm": as_ctm,
        "srt": lambda analysis, _: as_srt(analysis),
        "vtt": lambda analysis, _: as_vtt(analysis),
        "json": lambda analysis, _: as_json(analysis),
    }
)
ENDINGS = MappingProxyType({name: name for name in EXPORTERS} | {"seglst": "seglst.json"})


def session_id(analysis: CallAnalysis) -> str:
    """Return the call's id without what file names and NIST's formats forbid, cut to their length.

    Two ids may become the same: for more than one call, see `file_stems`.
    """
    return _plain(analysis.metadata.call_id)


def file_stems(call_ids: Iterable[str]) -> dict[str, str]:
    """Return, for every call of a warehouse, a distinct prefix of its files' names.

    They differ even where upper case, or forms of Unicode, make no difference. The name is the id
    without what file names forbid, followed by a digest where two calls would have the same, or
    where the id is too long.
    """
    ids = list(dict.fromkeys(call_ids))
    plain = {call_id: _plain(call_id) for call_id in ids}
    bearers = Counter(_folded(stem) for stem in plain.values())
    stems, taken = {}, set(bearers)
    for call_id, stem in plain.items():
        own = stem
        if bearers[_folded(stem)] > 1 or stem.lower().endswith(_ENDINGS_LIKE):
            digest = hashlib.sha256(call_id.encode("utf-8", "backslashreplace")).hexdigest()
            sizes = range(8, len(digest) + 1, 8)
            named = (f"{stem}~{digest[:size]}" for size in sizes)
            own = next(name for name in named if _folded(name) not in taken)
            taken.add(_folded(own))
        stems[call_id] = own
    return stems


def _plain(call_id: str) -> str:
    """Return the id as a file name; one that is too long is cut, with a digest to tell it apart."""
    plain = re.sub(r"[^\w.~-]+", "_", call_id)
    plain = re.sub(r"^[.-]", "_", plain) or "call"
    if len(plain.encode()) <= _LONGEST_BYTES:
        return plain
    digest = hashlib.sha256(call_id.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return f"{plain.encode()[: _LONGEST_BYTES - 17].decode('utf-8', 'ignore')}~{digest}"


def _folded(stem: str) -> str:
    """Return the same for names that a file system may take for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", stem).casefold())


def _turns(analysis: CallAnalysis) -> list[Turn]:
    turns = analysis.conversation.turns if analysis.conversation else ()
    return [t for t in turns if t.text]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _clock(time_s: float, separator: str) -> str:
    ms = round(time_s * 1000)
    hours, minutes, seconds = ms // 3_600_000, ms // 60_000 % 60, ms // 1000 % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{ms % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(frozen=True)
class Chosen:
    """Analyzed calls of a warehouse to be written as files.

    `stems` has the prefix of the file's name for every call. `missing` are calls whose analysis
    cannot be read, `unpublished` counts landed analyses that the warehouse does not show.
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
    """Return the calls with these names, or all analyzed ones for an empty list.

    A call is named as in the warehouse, by its id if no other call has that, or by its recording's
    path. Raises QueryError naming a call that does not exist, or that was not analyzed;
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
    """Write one call in one of `EXPORTERS`' formats; return the file.

    `stem` begins the file's name, and names the call in formats that forbid spaces (see
    `file_stems`). Raises QueryError naming the file when it cannot be written.
    """
    name = stem or session_id(analysis)
    path = folder / f"{name}.{ENDINGS[format_name]}"
    return write_text_whole(path, EXPORTERS[format_name](analysis, name), QueryError, "the call")


# A copy of a recording with a tone where something was redacted; the recording stays as it is.


ENDING = "bleeped.wav"
TONE_HZ = 1000.0
TONE_LEVEL = 0.1  # of full scale, -23 dBFS: as loud as talk
# The times of words are accurate to a tenth or two of a second, and a digit is short.
MARGIN_S = 0.3


def write_bleeped(
    analysis: CallAnalysis, settings: RecordingSettings, folder: Path, stem: str | None = None
) -> Path:
    """Write the copy: WAV, 16 bits, 16 kHz, channels as they were; return the file.

    `stem` begins the file's name (see `file_stems`). The tone is on every channel, as a voice is
    often faint on the other one, too, and begins 0.3 s before the words and ends 0.3 s after. What
    the rules missed remains audible. Raises QueryError when the call was never searched for private
    words, or its recording has changed since it was analyzed; RecordingRefusedError when that
    cannot be read.
    """
    call, path = analysis.metadata.call_id, Path(analysis.recording.path)
    if analysis.redactions is None:
        raise QueryError(f"{call}: analyzed without redaction; a copy would hide nothing")
    if is_remote(analysis.recording.path):
        raise QueryError(
            f"{call}: its recording lies at {analysis.recording.path}; a copy is made only of one "
            "on this machine: fetch it, analyze it into a warehouse of its own, and export that"
        )
    if identify(path).audio_sha256 != analysis.recording.audio_sha256:
        raise QueryError(f"{call}: {path} is another recording now; analyze it again")
    pcm = bleeped(decode(path, settings).pcm, analysis.redactions)
    target = folder / f"{stem or session_id(analysis)}.{ENDING}"
    return write_whole(target, lambda file: _write(file, pcm), QueryError, "the copy")


def bleeped(pcm: NDArray[np.int16], hidden: Sequence[Span]) -> NDArray[np.int16]:
    """Return the sound, shape (channels, samples) at 16 kHz, with a tone over these spans."""
    copy = pcm.copy()
    for span in hidden:
        start_s, end_s = with_margin(span)
        first = min(max(0, round(start_s * SAMPLE_RATE_HZ)), pcm.shape[1])
        past = max(first, min(round(end_s * SAMPLE_RATE_HZ), pcm.shape[1]))
        phase = 2 * np.pi * TONE_HZ / SAMPLE_RATE_HZ * np.arange(first, past)
        copy[:, first:past] = np.round(TONE_LEVEL * 32767 * np.sin(phase))
    return copy


def with_margin(span: Span) -> tuple[float, float]:
    """Return start and end of what gives way to a tone: the span with a little around it, s."""
    return span.start_s - MARGIN_S, span.end_s + MARGIN_S


def _write(path: Path, pcm: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(pcm.shape[0])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm.T.astype("<i2").tobytes())


# Write query results as tables for other programs: CSV, Parquet, spreadsheets; no text ever runs.


_ROWS_IN_SHEET = 1_048_575  # and the header
_LETTERS_IN_CELL = 32_767


@dataclass(frozen=True)
class Glossary:
    """Tells, beside a table in a spreadsheet, what it is and what its columns mean."""

    about: Mapping[str, str] = field(default_factory=dict, hash=False)
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)


def write_table(
    answer: QueryResult, path: Path, format_name: str, glossary: Glossary | None = None
) -> Path:
    """Write a result as `csv`, `parquet` or `xlsx`; the file appears whole or not at all.

    The glossary goes into a spreadsheet. Raises QueryError naming the file when it cannot be
    written or the format cannot hold the result.
    """
    write = partial(TABLES[format_name], answer)
    if format_name == "xlsx" and glossary:
        write = partial(_write_workbook, answer, glossary=glossary)
    return write_whole(path, write, QueryError, "the table")


def _csv(answer: QueryResult, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([safe_cell(column) for column in answer.columns])
        writer.writerows([safe_cell(_flat(value)) for value in row] for row in answer.rows)


def _parquet(answer: QueryResult, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "VARCHAR": pa.string(),
        "DOUBLE": pa.float64(),
        "BIGINT": pa.int64(),
        "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us"),
        "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
        "DATE": pa.date32(),
    }
    columns = list(zip(*answer.rows, strict=True)) or [()] * len(answer.columns)
    arrays = []
    for name, column, kind in zip(answer.columns, columns, answer.types, strict=True):
        try:
            arrays.append(pa.array(column, type=kinds.get(kind)))
        except (pa.ArrowException, OverflowError) as e:
            raise QueryError(
                f"column {name}: Parquet cannot hold this {kind} ({first_line(e)}); cast it to "
                "another type, or export CSV"
            ) from e
    pq.write_table(pa.Table.from_arrays(arrays, names=list(answer.columns)), path)


def _write_workbook(answer: QueryResult, path: Path, glossary: Glossary | None = None) -> None:
    _xlsx([Sheet("warmline", answer)], path, glossary)


@dataclass(frozen=True)
class Sheet:
    """A result as a sheet of a workbook; the columns at `shares` are shown as percentages."""

    name: str
    answer: QueryResult
    shares: Sequence[int] = ()


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """Return results as a spreadsheet that is made in memory: no copy of it is left on a disk.

    Raises QueryError as `write_table`.
    """
    made = BytesIO()
    _xlsx(sheets, made)
    return made.getvalue()


def _xlsx(sheets: Sequence[Sheet], path: Path | BytesIO, glossary: Glossary | None = None) -> None:
    try:
        import xlsxwriter
    except ModuleNotFoundError as e:
        raise QueryError("spreadsheets need XlsxWriter: pip install 'warmline[sheets]'") from e
    longest = max(len(sheet.answer.rows) for sheet in sheets)
    if longest > _ROWS_IN_SHEET:
        raise QueryError(
            f"a sheet holds {_ROWS_IN_SHEET:,} rows, this has {longest:,}: "
            "export CSV or Parquet, or ask for less"
        )
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "in_memory": isinstance(path, BytesIO),
        "default_date_format": _TIME_FORMAT,
    }
    book = xlsxwriter.Workbook(path, options)
    formats = {kind: book.add_format({"num_format": kind}) for kind in _NUMBER_FORMATS}
    formats |= {
        "heading": book.add_format({"bold": True}),
        "text": book.add_format({"quote_prefix": True}),
        "wrapped": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    for sheet in sheets:
        _write_sheet(book.add_worksheet(sheet.name), sheet, formats, glossary)
    if glossary:
        columns = sheets[0].answer.columns
        _write_glossary(book.add_worksheet("glossary"), columns, glossary, formats)
    book.close()


def _write_sheet(
    page: Any, sheet: Sheet, formats: Mapping[str, Any], glossary: Glossary | None
) -> None:
    answer = sheet.answer
    for place, column in enumerate(answer.columns):
        values = [_flat(row[place]) for row in answer.rows]
        number = _SHARE_FORMAT if place in sheet.shares else _number_format(values)
        _write_column(page, place, column, values, formats, number)
        if glossary and (meaning := glossary.columns.get(column)):
            page.write_comment(0, place, meaning, {"x_scale": 2})
    page.freeze_panes(1, 0)
    if answer.columns:
        page.autofilter(0, 0, len(answer.rows), len(answer.columns) - 1)


_TIME_FORMAT, _DAY_FORMAT = "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd"
_SHARE_FORMAT = "0%"
_NUMBER_FORMATS = ("0", "0.000", _SHARE_FORMAT, _DAY_FORMAT, _TIME_FORMAT)
# In letters: of a column, and beside its heading for the arrow of the filter.
_NARROWEST, _WIDEST, _ARROW = 8, 60, 3


def _number_format(values: Sequence[Any]) -> str:
    """Return the format of a column's numbers with a fraction: whole ones are written as such."""
    numbers = [value for value in values if isinstance(value, float)]
    return "0" if all(value == int(value) for value in numbers if isfinite(value)) else "0.000"


def _write_column(
    sheet: Any,
    place: int,
    column: str,
    values: Sequence[Any],
    formats: Mapping[str, Any],
    number: str,
) -> None:
    """Write a column as wide as what it holds, its numbers in one format."""
    sheet.write_string(0, place, column, formats["heading"])
    width = len(column) + _ARROW
    for row, value in enumerate(values, start=1):
        width = max(width, _write_cell(sheet, row, place, value, formats, number))
    sheet.set_column(place, place, min(max(width + 1, _NARROWEST), _WIDEST))


def _write_cell(
    sheet: Any, row: int, column: int, value: Any, formats: Mapping[str, Any], number: str
) -> int:
    """Write one cell by its type, so that no text is taken for another; return its width."""
    if value is None:
        return 0
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
        return len("FALSE")
    if isinstance(value, float) and not isfinite(value):
        value = str(value)
    if isinstance(value, int | float | Decimal):
        kind = "0" if isinstance(value, int) and number != _SHARE_FORMAT else number
        sheet.write_number(row, column, value, formats[kind])
        return len(f"{value:.0f}") + (4 if kind != "0" else 0)
    if isinstance(value, date):  # or a datetime, which is one
        kind = _TIME_FORMAT if isinstance(value, datetime) else _DAY_FORMAT
        sheet.write_datetime(row, column, value, formats[kind])
        return len(kind)
    said = str(value)[:_LETTERS_IN_CELL]
    sheet.write_string(row, column, said, formats["text"] if safe_cell(said) != said else None)
    return max(map(len, said.splitlines()), default=0)


def _write_glossary(
    sheet: Any, columns: Sequence[str], glossary: Glossary, formats: Mapping[str, Any]
) -> None:
    """Write what each column means, and below that what the table is."""
    sheet.set_column(0, 0, min(max(map(len, ("column", *columns))) + 2, _WIDEST))
    sheet.set_column(1, 1, 100)
    lines = [(column, glossary.columns.get(column, "")) for column in columns]
    for row, (name, meaning) in enumerate((("column", "meaning"), *lines, *glossary.about.items())):
        sheet.write_string(row, 0, name, formats["wrapped"] if row else formats["heading"])
        sheet.write_string(row, 1, meaning, formats["wrapped"] if row else formats["heading"])
    sheet.freeze_panes(1, 0)


def _flat(value: Any) -> Any:
    """Return a list as text that a person can read; everything else as it is."""
    if isinstance(value, list | tuple):
        return ", ".join("" if item is None else str(_flat(item)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    return value


TABLES: dict[str, Callable[[QueryResult, Path], None]] = {
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _write_workbook,
}
