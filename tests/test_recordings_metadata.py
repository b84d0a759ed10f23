"""What is known of a call: from beside it, from a table, from its name, in that order."""

import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warmline.errors import MetadataError, SettingsError
from warmline.recordings.fields import parse_time, read_fields
from warmline.recordings.metadata import read_metadata, read_table
from warmline.settings import RecordingSettings, load_settings
from warmline.values import CallMetadata

SETTINGS = RecordingSettings()
SALES = "Auto0_GUID_000_AGENT_ChrisL_DT_2025-02-19T06-01-22_Mono.wav"
ELEVEN = datetime(2025, 2, 19, 11, 30, tzinfo=UTC)


def beside(folder: Path, content: Any, name: str = "call.json") -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / "call.wav"


def metadata(path: Path, table: str | None = None) -> CallMetadata:
    if table is None:
        return read_metadata(path, SETTINGS, None)
    (path.parent / "table.csv").write_text(table, encoding="utf-8")
    return read_metadata(path, SETTINGS, read_table(path.parent / "table.csv"))


def test_a_name_alone() -> None:
    known = read_metadata(Path("calls") / SALES, SETTINGS, None)
    assert known.call_id == "Auto0_GUID_000"
    assert known.agent_id == "ChrisL"
    assert known.started_at == datetime(2025, 2, 19, 6, 1, 22, tzinfo=UTC)
    assert known.source == "file_name"


def test_nothing_known() -> None:
    assert read_metadata(Path("0815.wav"), SETTINGS, None) == CallMetadata("0815")


def test_a_sidecar_fills_every_field(tmp_path: Path) -> None:
    path = beside(
        tmp_path,
        {
            "call_id": 4711,
            "agent": "a-7",
            "team": "North",
            "queueName": "billing",
            "queue": "billing",
            "customer_id": "c-1",
            "startTime": "2025-02-19T12:30:00+01:00",
            "direction": "Incoming",
            "reason": "refund",
            "language": "EN",
            "is_simulated": True,
            "channel_roles": {"left": "caller", "1": "Agent"},
            "nps": 9,
            "tags": ["vip", "é"],
            "nothing": None,
        },
    )
    assert metadata(path) == CallMetadata(
        call_id="4711",
        agent_id="a-7",
        team="North",
        queue="billing",
        customer_id="c-1",
        started_at=ELEVEN,
        direction="inbound",
        reason="refund",
        language="en",
        is_simulated=True,
        channel_roles={"0": "customer", "1": "agent"},
        extra={"queueName": "billing", "nps": "9", "tags": '["vip", "é"]'},
        source="sidecar",
    )


def test_places_in_order_field_by_field(tmp_path: Path) -> None:
    path = tmp_path / SALES
    (tmp_path / f"{SALES}.json").write_text('{"team": "side", "x": 1}')
    table = f"file;agent_id;team;queue;x;y\n{SALES};table;table;table;2;2\n"
    known = metadata(path, table)
    assert (known.team, known.agent_id, known.queue) == ("side", "table", "table")
    assert known.call_id == "Auto0_GUID_000"
    assert known.extra == {"x": "1", "y": "2"}
    assert known.source == "sidecar+csv+file_name"


def test_the_more_exact_sidecar_comes_first(tmp_path: Path) -> None:
    beside(tmp_path, {"agent": "of the call"})
    path = beside(tmp_path, {"agent": "of the file"}, "call.wav.json")
    assert metadata(path).agent_id == "of the file"


@pytest.mark.parametrize(
    ("fields", "roles"),
    [
        ({"agent_channel": 1}, {"1": "agent", "0": "customer"}),
        ({"agent_channel": "left"}, {"0": "agent", "1": "customer"}),
        ({"customer_channel": "0"}, {"0": "customer", "1": "agent"}),
        ({"agent_channel": 3}, {"3": "agent"}),
        ({"channel_roles": ["customer", "agent"]}, {"0": "customer", "1": "agent"}),
        ({"channel_roles": '{"0": "ivr"}'}, {"0": "ivr"}),
        ({"channel_roles": ["agent"], "customer_channel": 0}, {"0": "agent"}),
    ],
)
def test_channel_roles(fields: dict[str, Any], roles: dict[str, str]) -> None:
    assert read_fields(fields, UTC).known["channel_roles"] == roles


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2025-02-19T11:30:00Z", "Europe/Berlin", ELEVEN),
        ("2025-02-19T06-30-00", "America/New_York", ELEVEN),
        ("2025-02-19 12:30", "Europe/Berlin", ELEVEN),
        ("19.02.2025 12:30", "Europe/Berlin", ELEVEN),
        ("2025/02/19 11:30:00", "UTC", ELEVEN),
        ("20250219-113000", "UTC", ELEVEN),
        ("20250219T113000", "UTC", ELEVEN),
        ("1739964600", "Asia/Tokyo", ELEVEN),
        ("1739964600000", "Asia/Tokyo", ELEVEN),
        ("2025-07-19 13:30", "Europe/Berlin", datetime(2025, 7, 19, 11, 30, tzinfo=UTC)),
    ],
)
def test_times_as_people_write_them(text: str, zone: str, moment: datetime) -> None:
    assert parse_time(text, ZoneInfo(zone)) == moment
    assert parse_time(text, ZoneInfo(zone)).utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize("text", ["02/03/2025 10:00", "yesterday", "25:00", "0001-01-01", "12"])
def test_a_time_that_could_be_two_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text, ZoneInfo("Asia/Tokyo"))


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_a_time_survives_its_own_text(moment: datetime) -> None:
    assert parse_time(moment.isoformat(), ZoneInfo("Asia/Tokyo")) == moment
    second = moment.replace(microsecond=0)
    assert parse_time(second.strftime("%Y-%m-%dT%H-%M-%S"), UTC) == second


def test_a_wrong_value_is_kept_and_said(tmp_path: Path) -> None:
    known = metadata(
        beside(tmp_path, {"started_at": "soon", "is_simulated": "so-so", "agent": "a"})
    )
    assert (known.started_at, known.is_simulated, known.agent_id) == (None, False, "a")
    assert known.extra["started_at"] == "soon"
    assert "started_at: 'soon' is not a time" in known.extra["metadata_problem"]
    assert "is_simulated: 'so-so'" in known.extra["metadata_problem"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"agent": "a",\n "team" "b"}', "line 2"),
        ("[" * 100_000, "nested"),
        ('{"a": "' + "x" * (1 << 20) + '"}', "too large"),
        ('{"n": ' + "9" * 5000 + "}", "call.json"),
        ("", "line 1"),
    ],
)
def test_a_broken_sidecar_does_not_stop_the_call(tmp_path: Path, content: str, words: str) -> None:
    known = metadata(beside(tmp_path, content))
    assert known.call_id == "call"
    assert words in known.extra["metadata_problem"]
    assert "\n" not in known.extra["metadata_problem"]


def test_a_transcript_beside_a_call_is_not_metadata(tmp_path: Path) -> None:
    known = metadata(beside(tmp_path, [{"speaker": "agent", "text": "hello"}]))
    assert known.call_id == "call"
    assert known.source == "none"
    assert list(known.extra) == ["metadata_note"]
    assert "hello" not in str(known)


def test_names_are_in_one_form_of_unicode(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Zoë Müller")
    known = metadata(
        tmp_path / f"{decomposed}.wav", f"file,agent_id\nZoë Müller.wav,{decomposed}\n"
    )
    assert known.call_id == "Zoë Müller"
    assert known.agent_id == "Zoë Müller"


@pytest.mark.parametrize(
    "key",
    ["call.wav", "call", "in/call.wav", "./in/call.wav", "in\\call.wav", "FULL"],
)
@pytest.mark.parametrize("column", ["path", "file", "filename", " FILE "])
def test_rows_match_by_path_name_or_stem(tmp_path: Path, key: str, column: str) -> None:
    path = tmp_path / "in" / "call.wav"
    path.parent.mkdir()
    key = str(path) if key == "FULL" else key
    assert metadata(path, f"{column},agent\n{key},a-1\n").agent_id == "a-1"


def test_rows_match_by_call_id(tmp_path: Path) -> None:
    table = "call_id,agent\nAuto0_GUID_000,by name\nc-9,by sidecar\n"
    assert metadata(tmp_path / SALES, table).agent_id == "by name"
    path = beside(tmp_path, {"call_id": "c-9"})
    assert metadata(path, table).agent_id == "by sidecar"


def test_the_longest_path_decides(tmp_path: Path) -> None:
    table = "file,agent\ncall.wav,any\nb/call.wav,only b\n"
    for name in "ab":
        (tmp_path / name).mkdir()
    assert metadata(tmp_path / "a" / "call.wav", table).agent_id == "any"
    assert metadata(tmp_path / "b" / "call.wav", table).agent_id == "only b"


def test_rows_without_a_call_and_calls_that_share_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("file,agent\na.wav,1\ngone.wav,2\na.wav,3\n\nc,4\n")
    table = read_table(path)
    calls = [tmp_path / "x" / "a.wav", tmp_path / "y" / "a.wav", tmp_path / "c.wav"]
    assert table.unmatched(calls) == ("gone.wav",)
    assert [table.key_for(call, call.stem) for call in calls] == ["a.wav", "a.wav", "c"]
    assert table.duplicates == ((4, "a.wav"),)
    row = table.row_for(calls[0], "a")
    assert row is not None
    assert row["agent"] == "1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty"),
        (b"sid,task\n1,x\n", "line 1: none of the columns path, file, filename, call_id"),
        (b"file,agent,Agent ID\na,b,c\n", "two columns mean 'agent_id'"),
        (b"file,agent,\na,b,c\n", "column 3 has no name"),
        (b"file,agent\na,b\nc\n", "line 3: 1 values for 2 columns"),
        (b"file,started_at\na,2025-02-19\nb,later\n", "line 3, column 'started_at': 'later'"),
        (b"file,simulated\na,perhaps\n", "line 2, column 'simulated': 'perhaps'"),
        (b"file,agent\n,b\n", "line 2, column 'file': empty"),
        (b"file,agent\na,M\xfcller\n", "line 2: not UTF-8"),
        (b'file,agent\n"a,b\n', "not readable as CSV"),
    ],
)
def test_a_wrong_table_is_one_line_with_the_place(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(text)
    with pytest.raises(MetadataError) as refused:
        read_table(path)
    assert "calls.csv" in str(refused.value)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="cannot be read"):
        read_table(tmp_path / "gone.csv")


def test_a_table_from_a_spreadsheet(tmp_path: Path) -> None:
    """Byte order mark, semicolons, quoted line break, Windows line ends."""
    path = tmp_path / "t.csv"
    path.write_bytes('\ufefffile;agent;note\r\ncall.wav;a-1;"two\r\nlines"\r\n'.encode())
    known = read_metadata(tmp_path / "call.wav", SETTINGS, read_table(path))
    assert known.agent_id == "a-1"
    assert known.extra["note"] == "two  lines"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('timezone = "Mars/Olympus"', "recordings.timezone"),
        ('name_patterns = ["(?P<agent>"]', "recordings.name_patterns"),
    ],
)
def test_wrong_settings_are_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f"[recordings]\n{text}\n")
    with pytest.raises(SettingsError, match=words):
        load_settings(path)


def test_times_without_a_zone_are_local(tmp_path: Path) -> None:
    settings = RecordingSettings(timezone="America/New_York")
    known = read_metadata(tmp_path / SALES, settings, None)
    assert known.started_at == datetime(2025, 2, 19, 11, 1, 22, tzinfo=UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["call_id", "started_at", "channel_roles", "agent_channel", "reason"])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES | st.text(), JSON, max_size=6) | JSON)
def test_any_json_gives_values_that_can_be_stored(tmp_path: Path, content: Any) -> None:
    (tmp_path / "call.json").write_text(json.dumps(content))
    known = metadata(tmp_path / "call.wav")
    assert known.call_id
    texts = [known.call_id, known.agent_id or "", *known.extra, *known.extra.values()]
    for text in (*texts, *known.channel_roles, *known.channel_roles.values()):
        assert text.encode("utf-8").decode("utf-8") == text
        assert "\x00" not in text
    assert known.started_at is None or known.started_at.utcoffset() == UTC.utcoffset(None)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_table_or_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"file,agent\n" + content)
    try:
        table = read_table(path)
    except MetadataError as refused:
        assert "\n" not in str(refused)
    else:
        assert all(table.rows)
