"""Times as people and programs write them: one list of forms, each with one meaning."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from warmline.recordings.fields import parse_time
from warmline.recordings.metadata import read_metadata, read_table
from warmline.settings import RecordingSettings
from warmline.warehouse.outcomes import read_day, read_outcome_table

NINE = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("202603010905", NINE),
        ("202603011430", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("20260301T0905", NINE),
        ("20260301090500", NINE),
        ("20260301_090500", NINE),
        ("20260301T090500Z", NINE),
        ("20260301T100500+0100", NINE),
        ("2026-3-1 9:05", NINE),
        ("2026-03-01t09:05", NINE),
        ("2026-03-01 09:05:00.000001", NINE + timedelta(microseconds=1)),
        ("2026-03-01T09:05:00,25Z", NINE + timedelta(seconds=0.25)),
        ("2026-03-01 09:05:00 UTC", NINE),
        ("2026-03-01 03:35 -05:30", NINE),
        ("2026/03/01 09:05", NINE),
        ("1.3.2026 9:05", NINE),
        ("01.03.2026 09:05:00", NINE),
        ("20260301", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026/3/1", datetime(2026, 3, 1, tzinfo=UTC)),
        (str(int(NINE.timestamp())), NINE),
        (f"{NINE.timestamp() * 1000:.0f}", NINE),
    ],
)
def test_every_form_of_a_time_means_one_moment(text: str, moment: datetime) -> None:
    assert parse_time(text, UTC) == moment
    whole = text in ("20260301", "2026-03-01", "2026/3/1")
    assert read_day(text, UTC) == (moment.replace(tzinfo=None), whole)


@pytest.mark.parametrize(
    "text",
    [
        *("1/3/2026", "13/3/2026", "3-1-2026", "01.03.26", "26-03-01", "2026-03", "202603"),
        *("2026030", "2026030109", "20260301143", "2026030114301", "2026-03-01 9:5"),
        *("2026-03-01 24:00", "2026-03-01T09", "2026-03-01 09:05:60", "2026-02-30"),
        *("2026-W09-7", "2026W097", "2026-060", "2026060", "9:05", "46082.378", "1e9"),
        *("2026-03-01 9:05 PM", "2026-03-01 09:05 CET", "2026-03-01 09:05+99:99", "12345678901"),
        *("2026-03-01T09:05:00+01:00[Europe/Berlin]", "1899-12-30", "0000-00-00", "2026-3-1T9"),
        *("٢٠٢٦-٠٣-٠١", "２０２６-03-01", "2026-13-01", "1739964600000000", "-1739964600"),
    ],
)
def test_any_other_form_is_refused_everywhere(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="not a time known here"):
        parse_time(text, UTC)
    (tmp_path / "t.csv").write_text(f"file;started_at\na.wav;{text}\n", encoding="utf-8")
    (fault,) = read_table(tmp_path / "t.csv").faults
    assert fault.startswith("line 2, column 'started_at': ")
    assert " is not a time" in fault
    (tmp_path / "o.csv").write_text(f"customer_id;date;nps\na;{text};9\n", encoding="utf-8")
    (line,) = read_outcome_table(tmp_path / "o.csv", UTC).lines
    assert "column 'date': " in str(line.problem)


@pytest.mark.parametrize(
    ("zone", "text", "why"),
    [
        ("Europe/Berlin", "2026-03-29 02:30", "went forward"),
        ("Europe/Berlin", "2026-10-25 02:30", r"went back.*\+02:00 or \+01:00"),
        ("America/New_York", "20260308T023000", "went forward"),
        ("America/New_York", "01.11.2026 01:15", r"went back.*-04:00 or -05:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "went forward"),
    ],
)
def test_an_hour_that_the_clocks_left_out_or_had_twice_is_no_other_hour(
    tmp_path: Path, zone: str, text: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        parse_time(text, ZoneInfo(zone))
    (tmp_path / "call.json").write_text(json.dumps({"started_at": text}))
    known = read_metadata(tmp_path / "call.wav", RecordingSettings(timezone=zone), None)
    assert known.started_at is None
    problem = known.extra["metadata_problem"]
    assert f"started_at: {text!r} was" in problem and re.search(why, problem)
    (tmp_path / "o.csv").write_text(f"customer_id,date,nps\na,{text},9\n")
    (line,) = read_outcome_table(tmp_path / "o.csv", ZoneInfo(zone)).lines
    assert "on the clocks of" in str(line.problem)


def test_hours_beside_a_change_of_the_clock_and_days_without_midnight_are_known() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert parse_time("2026-03-29 03:00", berlin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert parse_time("2026-10-25 02:30+01:00", berlin) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    santiago = ZoneInfo("America/Santiago")  # midnight is left out in September
    assert parse_time("2026-09-06", santiago) == datetime(2026, 9, 6, 4, tzinfo=UTC)
