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
from warmline.recordings import find_recordings
from warmline.recordings.fields import parse_time, read_fields
from warmline.recordings.metadata import read_metadata, read_table
from warmline.redaction import redact_field
from warmline.settings import RecordingSettings, RedactionSettings, load_settings
from warmline.values import CallMetadata
from warmline.warehouse.outcomes import read_outcome_table

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
        ({"agent_channel": 0, "customer_channel": 2}, {"0": "agent", "2": "customer"}),
        ({"customer_channel": "01", "agent_channel": 3}, {"1": "customer", "3": "agent"}),
        ({"agent_channel": "right", "customer_channel": "0"}, {"1": "agent", "0": "customer"}),
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


@pytest.mark.parametrize(
    ("text", "fault", "left"),
    [
        ("file,agent\nx,b\na\nb,c\n", "line 3: 1 values for 2 columns", {"x", "b"}),
        ("file,agent\n,b\nb,c\n", "line 2, column 'file': empty", {"b"}),
        (
            "file,started_at\na,2025-02-19\nb,later\n",
            "line 3, column 'started_at': 'later'",
            {"a", "b"},
        ),
        ("file,simulated\na,perhaps\n", "line 2, column 'simulated': 'perhaps'", {"a"}),
        ("file,Direction\na,sideways\n", "line 2, column 'Direction': 'sideways'", {"a"}),
    ],
)
def test_what_is_wrong_in_a_row_is_told_and_the_other_rows_hold(
    tmp_path: Path, text: str, fault: str, left: set[str]
) -> None:
    table = _table(tmp_path, text)
    (told,) = table.faults
    assert told.startswith(fault)
    assert set(table.rows) == left


def test_what_may_not_be_meant_is_told_once_and_kept(tmp_path: Path) -> None:
    heading = "file,agent_chanel,directoin,teams,caller_id,season,team_2,started_at\n"
    row = "call.wav,right,in,a,7,spring,b,2999-01-01\n"
    table = _table(tmp_path, heading + row + row.replace("call", "other"))
    assert table.doubts == (
        "line 2, column 'started_at': '2999-01-01' is in the future",
        "line 1, column 'agent_chanel': no field known here, kept as text; was agent_channel "
        "meant?",
        "line 1, column 'directoin': no field known here, kept as text; was direction meant?",
        "line 1, column 'teams': no field known here, kept as text; was team meant?",
    )
    known = read_metadata(tmp_path / "call.wav", SETTINGS, table)
    assert known.extra["agent_chanel"] == "right" and known.started_at is not None
    assert "csv, agent_chanel: no field known here" in known.extra["metadata_note"]
    later = read_metadata(tmp_path / "call.wav", SETTINGS, None, before=known)
    assert later.extra["metadata_note"] == known.extra["metadata_note"]
    both = _table(tmp_path, "file,team,teams\ncall.wav,a,b\n")
    assert not both.doubts, "the field that may be meant is there"


def test_a_mistyped_name_in_a_file_beside_a_recording_is_told(tmp_path: Path) -> None:
    known = metadata(beside(tmp_path, {"custmer_id": "c", "direction": "sideways"}))
    assert "sidecar, custmer_id: " in known.extra["metadata_note"]
    assert "was customer_id meant?" in known.extra["metadata_note"]
    assert (known.direction, known.extra["direction"]) == (None, "sideways")


def test_a_value_that_cannot_be_used_is_kept_as_it_was_written(tmp_path: Path) -> None:
    table = _table(tmp_path, "file,agent,started_at\ncall.wav,ann,1/3/2026\n")
    known = read_metadata(tmp_path / "call.wav", SETTINGS, table)
    assert (known.agent_id, known.started_at) == ("ann", None)
    assert known.extra["started_at"] == "1/3/2026"
    assert "csv, started_at: '1/3/2026' is not a time" in known.extra["metadata_problem"]
    later = read_metadata(tmp_path / "call.wav", SETTINGS, None, before=known)
    assert later.extra["metadata_problem"] == known.extra["metadata_problem"]
    private = metadata(beside(tmp_path, {"started_at": "0170/1234567"}))
    assert "started_at: [phone] is not a time" in private.extra["metadata_problem"]


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


# Links that lead away, and what is private in metadata


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A source folder with a link to a file beside the folder, and one to a file inside."""
    for name in ("in", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret" / "gcp.json").write_text('{"private_key_material": "xylocarp"}')
    (tmp_path / "secret" / "other.wav").write_bytes(b"RIFF")
    (tmp_path / "in" / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "in" / "b.wav").write_bytes(b"RIFF")
    (tmp_path / "in" / "common.txt").write_text('{"team": "north"}')
    return tmp_path


@pytest.mark.parametrize("name", ["a.wav.json", "a.json"])
@pytest.mark.parametrize("chain", [False, True])
def test_a_sidecar_that_leads_out_is_refused(linked: Path, name: str, chain: bool) -> None:
    target = Path("../secret/gcp.json")
    if chain:
        (linked / "in" / "step").symlink_to(target)
        target = Path("step")
    (linked / "in" / name).symlink_to(target)
    known = read_metadata(linked / "in" / "a.wav", SETTINGS, None)
    assert "xylocarp" not in str(known)
    assert f"{name}: a link that leads out" in known.extra["metadata_problem"]
    chosen = RecordingSettings(follow_links=True)
    assert "xylocarp" in str(read_metadata(linked / "in" / "a.wav", chosen, None))


def test_a_sidecar_that_is_a_link_inside_the_folder_is_read(linked: Path) -> None:
    (linked / "in" / "a.wav.json").symlink_to("common.txt")
    assert read_metadata(linked / "in" / "a.wav", SETTINGS, None).team == "north"


def test_recordings_and_folders_that_lead_out_are_refused_by_name(linked: Path) -> None:
    (linked / "in" / "out.wav").symlink_to("../secret/other.wav")
    (linked / "in" / "folder").symlink_to("../secret")
    (linked / "in" / "same.wav").symlink_to("b.wav")
    settled = {"settle_s": 0.0}
    found = find_recordings([linked / "in"], RecordingSettings(**settled))
    assert [path.name for path in found.recordings] == ["a.wav", "b.wav"]
    assert len(found.problems) == 2
    for name, problem in zip(("folder", "out.wav"), sorted(found.problems), strict=True):
        assert f"in/{name}: a link that leads out of" in problem
    wide = find_recordings([linked / "in"], RecordingSettings(follow_links=True, **settled))
    assert len(wide.recordings) == 3
    named = find_recordings([linked / "in" / "out.wav"], RecordingSettings(**settled))
    assert len(named.recordings) == 1


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("note", "paid with 4111 1111 1111 1111 today", "paid with [card] today"),
        ("note", "write to pat.brown@example.org please", "write to [email] please"),
        ("reason", "invoice, card number 4539148803436467", "invoice, card number [card]"),
        ("cvv", "914", "[security_code]"),
        ("card_number", "4539-1488-0343-6467", "[card]"),
        ("callerPhone", "+49 170 1234567", "[phone]"),
        ("Date of Birth", "1985-07-04", "[birth_date]"),
        ("ticket_id", "1234567890", "1234567890"),
        ("ended_at", "20260301093000", "20260301093000"),
        ("duration_ms", "71000000", "71000000"),
        ("card_type", "gold", "gold"),
        ("phone_model", "iPhone 14", "iPhone 14"),
        ("mail_count", "3", "3"),
        ("portalPassword", "hunter", "[password]"),
        ("note", "called about the invoice of May", "called about the invoice of May"),
    ],
)
def test_what_is_private_in_metadata_is_hidden(
    tmp_path: Path, name: str, text: str, kept: str
) -> None:
    path = beside(tmp_path, {name: text, "customer_id": "4111111111111111"})
    known = metadata(path)
    assert known.customer_id == "4111111111111111"  # calls are joined by it
    assert (known.reason if name == "reason" else known.extra[name]) == kept
    plain = read_metadata(path, SETTINGS, None, RedactionSettings(enabled=False))
    assert (plain.reason if name == "reason" else plain.extra[name]) == text


def test_names_in_metadata_are_hidden_where_names_are() -> None:
    chosen = RedactionSettings(kinds=("name",))
    assert redact_field("customer_name", "Pat Brown", chosen) == "[name]"
    assert redact_field("agent_name", "Dana Wells", chosen) == "Dana Wells"
    assert redact_field("customer_name", "Pat Brown", RedactionSettings()) == "Pat Brown"


def test_a_problem_of_metadata_does_not_tell_what_is_private(tmp_path: Path) -> None:
    known = metadata(beside(tmp_path, {"started_at": "card 4111 1111 1111 1111"}))
    assert "1111" not in str(known)


# What programs write where nothing is known

NOTHING = [
    "NULL",
    "null",
    "nan",
    "NaN",
    "None",
    "N/A",
    "n/a",
    "#N/A",
    "NA",
    "",
    "  ",
    "\\N",
    "<NA>",
    "#NULL!",
    "#REF!",
    "[null]",
    "'NULL'",
    "(blank)",
    "-1.#IND",
    "-nan",
    "Unknown",
    "anonymous",
    "\N{EM DASH}",
    "\N{ZERO WIDTH SPACE}",
    "\N{FULLWIDTH LATIN CAPITAL LETTER N}ULL",
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_nothing_known_is_no_id(tmp_path: Path, nothing: str) -> None:
    ids = {"call_id": nothing, "customer_id": nothing, "agent_id": nothing, "started_at": nothing}
    known = metadata(beside(tmp_path, ids))
    assert known == CallMetadata("call")
    table = f"file;customer_id;agent;nps\ncall.wav;{nothing};{nothing};9\n"
    known = read_metadata(tmp_path / "x" / "call.wav", SETTINGS, _table(tmp_path, table))
    assert (known.customer_id, known.agent_id) == (None, None)
    (tmp_path / "o.csv").write_text(f"customer_id;call_id;date;nps\n{nothing};c-1;2026-03-01;9\n")
    (line,) = read_outcome_table(tmp_path / "o.csv", UTC).lines
    assert (line.customer_id, line.given_call_id, line.problem) == (None, "c-1", None)
    (tmp_path / "o.csv").write_text(f"customer_id;date;nps;csat\nanna;2026-03-01;{nothing};4\n")
    (line,) = read_outcome_table(tmp_path / "o.csv", UTC).lines
    assert (line.name, line.value) == ("csat", 4.0)


def test_what_may_be_a_word_there_is_kept(tmp_path: Path) -> None:
    words = {"team": "Unknown", "queue": "NA", "reason": "missing"}
    known = metadata(beside(tmp_path, words))
    assert (known.team, known.queue, known.reason) == ("Unknown", "NA", "missing")
    named = tmp_path / "x" / "missing.wav"
    table = _table(tmp_path, "file,agent\nmissing,ann\n")
    assert read_metadata(named, SETTINGS, table).agent_id == "ann"


def test_one_channel_of_two_parties_is_a_problem(tmp_path: Path) -> None:
    known = metadata(beside(tmp_path, {"agent_channel": 1, "customer_channel": "right"}))
    assert known.channel_roles == {}
    assert "customer_channel: the same as agent_channel" in known.extra["metadata_problem"]


def _table(folder: Path, text: str) -> Any:
    (folder / "table.csv").write_text(text, encoding="utf-8")
    return read_table(folder / "table.csv")


def test_words_of_a_team_or_reason_are_words(tmp_path: Path) -> None:
    known = metadata(beside(tmp_path, {"team": "NA", "reason": "none", "customer_id": "Nanette"}))
    assert (known.team, known.reason, known.customer_id) == ("NA", "none", "Nanette")


@pytest.mark.parametrize("head", ["sep=;\n", '"sep=;"\r\n', "SEP=;\r\n", "\ufeffsep=;\n"])
def test_a_first_line_that_names_the_separator(tmp_path: Path, head: str) -> None:
    text = head + "file;agent,name;note\ncall.wav;E1;a,b\nbad.wav;E2\n"
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_table(path).faults == ("line 4: 2 values for 3 columns",)
    path.write_text(text.replace("bad.wav;E2\n", ""), encoding="utf-8", newline="")
    known = read_metadata(tmp_path / "call.wav", SETTINGS, read_table(path))
    assert known.extra == {"agent,name": "E1", "note": "a,b"}
    text = head + "customer_id;date;nps\nanna;2026-03-01;7\n"
    path.write_text(text, encoding="utf-8", newline="")
    (line,) = read_outcome_table(path, UTC).lines
    assert (line.line, line.value) == (3, 7.0)
