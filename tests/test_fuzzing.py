"""Whatever stands beside a recording or is given as a table: read, or refused in one clear line."""

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support import factories
from warmline import landing
from warmline.errors import MetadataError, SettingsError
from warmline.landing.feedback import write_outcomes
from warmline.recordings.fields import KNOWN_FIELDS
from warmline.recordings.metadata import read_metadata, read_table
from warmline.settings import RecordingSettings, load_settings
from warmline.warehouse.outcomes import read_outcome_table

SETTINGS = RecordingSettings()
quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
long = settings(quick, max_examples=1500)

ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1", "cp1252"])
NASTY = [
    *("", "\x00", "\x1b[2J", "\u202e", "\ufeff", "\u2028", "\r", "=1+1", "@SUM(A1)", "-", "'"),
    *("nan", "inf", "-1e999", "1e308", "9" * 400, "0x10", "1_000", "٣", "0001-01-01", "9999-12-31"),
    *(
        "9999-12-31T23:59:59-23:59",
        "1999999999999",
        "1" + "٣" * 9,
        "24:00",
        "2025-02-30",
        "../../a",
    ),
    *("[" * 2000, '{"0":' * 500, '{"0": "agent"}', "left", "true", "2025-02-19", "c-1", "é" * 300),
]
cell = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
number = st.one_of(
    st.integers(),
    st.integers(10**4200, 10**4200 + 9),
    st.floats(),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), number, cell),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(cell, inner, max_size=4)),
    max_leaves=8,
)
NAMES = (*KNOWN_FIELDS, "agent", "agent_channel", "customer_channel", "startTime", "tags", "x")
sidecar = st.dictionaries(st.one_of(st.sampled_from(NAMES), cell), anything, max_size=6)
RAW_JSON = [
    *(b"", b"\xef\xbb\xbf", b"\x00\x00", b"[" * 200_000, b'{"a":' * 100_000, b"NaN", b'"\\ud800"'),
    *(b"{" + b'"a": ' + b"9" * 10_000 + b"}", b'{"a": -Infinity, "a": 1}', b"\xff\xfe{\x00}\x00"),
    *(b'{"agent_id": "\\ud800", "\\udfff": 1}', b'{"started_at": 1e400}', b"{}" * 2, b"\xc3("),
    *(b'{"call_id": "\\u0000\\u001b[2J"}', b"[" + b"1," * 400_000 + b"1]"),
]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def one_line(error: Exception, path: Path) -> None:
    """The text names the file and is a line that a terminal shows as it is."""
    assert path.name in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 2010


def require_storable(folder: Path, content: bytes) -> None:
    """A sidecar never ends a call: what cannot be used is told of, the rest can be stored."""
    written(folder / "call.wav.json", content)
    known = read_metadata(folder / "call.wav", SETTINGS, None)
    texts = [known.call_id, *known.extra, *known.extra.values(), known.agent_id or ""]
    assert all("\n" not in text and "\x00" not in text and "\x1b" not in text for text in texts)
    assert known.call_id
    landing.write(replace(factories.without_analysis("a"), metadata=known), folder / "landing")


def try_sidecar(folder: Path, content: Any, encoding: str) -> None:
    require_storable(folder, json.dumps(content, ensure_ascii=False).encode(encoding, "replace"))


@pytest.mark.parametrize("content", RAW_JSON, ids=lambda raw: repr(raw[:12]))
def test_crafted_sidecars_are_told_of(tmp_path: Path, content: bytes) -> None:
    require_storable(tmp_path, content)


@quick
@given(content=sidecar, encoding=ENCODINGS)
def test_any_sidecar_is_taken_or_told_of(tmp_path: Path, content: Any, encoding: str) -> None:
    try_sidecar(tmp_path, content, encoding)


@pytest.mark.slow
@long
@given(content=sidecar, encoding=ENCODINGS)
def test_any_sidecar_longer(tmp_path: Path, content: Any, encoding: str) -> None:
    try_sidecar(tmp_path, content, encoding)


heading = st.lists(
    st.one_of(
        st.sampled_from(["path", "call_id", "customer_id", "date", "nps", "churned", "outcome"]),
        st.sampled_from(["value", "agent_id", "started_at", "channel_roles", "file"]),
        cell,
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Something like a CSV file: quoted or not, ragged, cut, in any encoding."""
    columns = draw(heading)
    width = st.integers(len(columns) - 1, len(columns) + 1) if draw(st.booleans()) else None
    delimiter = draw(st.sampled_from(",;\t|"))
    rows = [columns]
    for _ in range(draw(st.integers(0, 5))):
        size = draw(width) if width is not None else len(columns)
        rows.append(draw(st.lists(cell, min_size=size, max_size=size)))
    is_quoted = draw(st.booleans())
    quoted = [[f'"{c.replace(chr(34), chr(34) * 2)}"' if is_quoted else c for c in r] for r in rows]
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(map(delimiter.join, quoted))
    data = text.encode(draw(ENCODINGS), "replace")
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


RAW_CSV = [
    *(b"", b"\n", b"\xef\xbb\xbf", b"path\n\x00", b'path\n"', b'path,"\n', b"path\r\r\r"),
    *(b"path\n" + b"a" * 200_000, b"," * 100_000, b"customer_id,date,nps\n1,2025-01-01,\x00"),
    *(b"path,path\n", b"file,FILE\n", b"call_id\n" + b"\n" * 50_000, b"customer_id\ndate\n"),
    *("customer_id,date,é\nz,2025-01-01,ü\n".encode("latin-1"), b"call_id;nps\n\xff;1"),
]


def try_tables(folder: Path, content: bytes) -> None:
    path = written(folder / "table.csv", content)
    try:
        table = read_table(path)
    except MetadataError as e:
        one_line(e, path)
    else:
        table.row_for(folder / "call.wav", "call")
        read_metadata(folder / "call.wav", SETTINGS, table)
    try:
        outcomes = read_outcome_table(path, UTC)
    except MetadataError as e:
        one_line(e, path)
    else:
        assert all("\n" not in (line.problem or "") for line in outcomes.lines)
        write_outcomes(
            outcomes.lines, folder / "landing", source="t.csv", loaded_at=factories.ANALYZED_AT
        )


@pytest.mark.parametrize("content", RAW_CSV, ids=lambda raw: repr(raw[:24]))
def test_crafted_tables_are_refused_or_read(tmp_path: Path, content: bytes) -> None:
    try_tables(tmp_path, content)


@quick
@given(content=tables())
def test_any_table_is_refused_or_read(tmp_path: Path, content: bytes) -> None:
    try_tables(tmp_path, content)


@pytest.mark.slow
@long
@given(content=st.one_of(tables(), st.binary(max_size=200)))
def test_any_table_longer(tmp_path: Path, content: bytes) -> None:
    try_tables(tmp_path, content)


@quick
@given(content=st.one_of(st.binary(max_size=60), cell.map(lambda c: c.encode("utf-8", "replace"))))
@example(content=b"[night]\nretries = " + b"9" * 5000)
@example(content=b"a = " + b"[" * 3000)
@example(content=b'[redaction]\nkinds = ["\x1b"]')
def test_any_settings_are_refused_or_read(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "warmline.toml", content)
    try:
        load_settings(path)
    except SettingsError as e:
        one_line(e, path)
