"""What changes from night to night, and nothing else, is loaded."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from support.factories import (
    sha,
    without_analysis,
)
from support.warehouses import LATER, contents, put, rich, rows
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.warehouse.access_log import accesses, note_access


def test_publishing_again_builds_nothing(tmp_path: Path) -> None:
    put(tmp_path, rich(), without_analysis("broken"))
    before = (tmp_path / "w.duckdb").stat()
    report = put(tmp_path)
    assert (report.rebuilt, report.loaded, report.unchanged) == (False, 0, 2)
    after = (tmp_path / "w.duckdb").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_only_what_changed_is_loaded_and_the_result_is_that_of_a_fresh_start(
    tmp_path: Path,
) -> None:
    put(tmp_path, rich("a"), rich("b"), rich("c"), without_analysis("d"))
    changed = rich("b", analyzed_at=LATER, duration_s=90.0)
    gone = landing.known(tmp_path / "landing").by_path("/calls/c.wav")
    assert gone is not None
    landing.remove(tmp_path / "landing", [gone.landing_key])
    later = rich("d", analyzed_at=LATER), rich("e")
    report = put(tmp_path, changed, *later, allow_loss=True)
    assert (report.loaded, report.removed, report.unchanged) == (3, 2, 1)
    assert rows(tmp_path, "SELECT call_id, duration_s, status FROM calls ORDER BY call_id") == [
        ("a", 60.0, "analyzed"),
        ("b", 90.0, "analyzed"),
        ("d", 60.0, "analyzed"),
        ("e", 60.0, "analyzed"),
    ]
    night_by_night = contents(tmp_path)
    (tmp_path / "w.duckdb").unlink()
    put(tmp_path)
    assert contents(tmp_path) == night_by_night


def test_packing_the_landing_folder_changes_no_row(tmp_path: Path) -> None:
    put(tmp_path, *(rich(f"c{i}") for i in range(5)), without_analysis("d"))
    before = contents(tmp_path)
    landing.compact(tmp_path / "landing", rows_in_pack=4)
    report = put(tmp_path)
    assert (report.loaded, report.removed, report.unchanged) == (0, 0, 6)
    assert contents(tmp_path) == before
    (tmp_path / "w.duckdb").unlink()
    put(tmp_path)
    assert contents(tmp_path) == before


def dated(analysis: CallAnalysis, days: int) -> CallAnalysis:
    """The same analysis of a recording that was written so many days later."""
    recording = analysis.recording
    at = recording.modified_at + timedelta(days)
    return replace(analysis, recording=replace(recording, modified_at=at))


NAMES = "SELECT call_id, path, call_id_note FROM calls ORDER BY path"


def test_of_recordings_that_claim_one_call_id_the_oldest_gets_it(tmp_path: Path) -> None:
    first = dated(rich("x", audio="one", path="/1/x.wav"), -1)
    second = dated(rich("x", audio="two", path="/2/x.wav", analyzed_at=LATER), 0)
    put(tmp_path, second)
    assert rows(tmp_path, NAMES) == [("x", "/2/x.wav", None)]
    put(tmp_path, first)
    other, note = f"x~{sha('two')[:8]}", "x is claimed by another recording, too: /1/x.wav"
    assert rows(tmp_path, NAMES) == [("x", "/1/x.wav", None), (other, "/2/x.wav", note)]
    assert rows(tmp_path, "SELECT call_id FROM turns WHERE turn_index = 0 ORDER BY ALL") == [
        ("x",),
        (other,),
    ]
    put(tmp_path, replace(first, analyzed_at=LATER + timedelta(1)))
    assert [name for name, *_ in rows(tmp_path, NAMES)] == ["x", other]
    night_by_night = contents(tmp_path)
    (tmp_path / "w.duckdb").unlink()
    put(tmp_path)
    assert contents(tmp_path) == night_by_night


def test_a_name_that_another_recording_gets_goes_from_the_log_of_accesses(tmp_path: Path) -> None:
    first = dated(rich("x", audio="one", path="/1/x.wav"), -1)
    put(tmp_path, first, rich("x", audio="two", path="/2/x.wav"), rich("y"))
    other = f"x~{sha('two')[:8]}"
    note_access(tmp_path / "w.duckdb", "show", calls=["x", other, "y"])
    landing.remove(tmp_path / "landing", [f"analyses/{sha('one')}"])
    put(tmp_path, allow_loss=True)
    assert rows(tmp_path, NAMES) == [("x", "/2/x.wav", None), ("y", "/calls/y.wav", None)]
    assert [n["calls"] for n in accesses(tmp_path / "w.duckdb")] == [[None, None, "y"]]


def test_a_call_in_a_damaged_file_keeps_its_name_until_it_can_be_read(tmp_path: Path) -> None:
    second = rich("x", audio="two", path="/2/x.wav")
    put(tmp_path, second)
    damaged = landing.write(second, tmp_path / "landing")
    damaged.write_bytes(damaged.read_bytes()[:-50])
    put(tmp_path, dated(rich("x", audio="one", path="/1/x.wav"), -1))
    names = [name for name, *_ in rows(tmp_path, NAMES)]
    assert names == [f"x~{sha('one')[:8]}", "x"]
    put(tmp_path, second)
    assert [name for name, *_ in rows(tmp_path, NAMES)] == ["x", f"x~{sha('two')[:8]}"]


def test_odd_call_ids_get_a_name_and_never_stop_the_night(tmp_path: Path) -> None:
    claims = ["", "  ", "x~0123abcd", "Zoë's call; DROP TABLE calls", "a\nb"]
    calls = [
        replace(rich(f"{claim} {i}"), metadata=replace(rich("x").metadata, call_id=claim))
        for claim in claims
        for i in range(3)
    ]
    put(tmp_path, *calls)
    found = rows(tmp_path, "SELECT call_id, claimed_call_id FROM calls")
    names = [name for name, _ in found]
    assert len(set(names)) == len(calls)
    assert all(name.strip() for name in names)
    assert {claimed or "" for _, claimed in found} >= {"x~0123abcd", "a\nb"}
    assert rows(tmp_path, "SELECT count(DISTINCT call_id) FROM turns") == [(len(calls),)]


def test_the_newest_analysis_of_a_path_is_the_one_shown(tmp_path: Path) -> None:
    put(tmp_path, rich("c", audio="before"))
    put(tmp_path, rich("c", audio="after", analyzed_at=LATER))
    assert rows(tmp_path, "SELECT call_id, audio_sha256 FROM calls") == [("c", sha("after"))]


def test_a_damaged_landing_file_is_said_and_costs_no_row(tmp_path: Path) -> None:
    put(tmp_path, rich("a"), rich("b"))
    before = contents(tmp_path)
    damaged = landing.write(rich("a"), tmp_path / "landing")
    damaged.write_bytes(damaged.read_bytes()[:-50])
    name = str(damaged.relative_to(tmp_path / "landing"))
    report = put(tmp_path, rich("c"))
    assert list(report.unreadable) == [name]
    assert (report.loaded, report.removed) == (1, 0)
    assert rows(tmp_path, "SELECT call_id FROM calls ORDER BY ALL") == [("a",), ("b",), ("c",)]
    assert rows(tmp_path, "SELECT path, status FROM failures") == [(name, "unreadable")]
    again = put(tmp_path)
    assert (again.rebuilt, list(again.unreadable)) == (False, [name])
    put(tmp_path, rich("a"))
    landing.remove(tmp_path / "landing", [f"analyses/{sha('c')}"])
    assert put(tmp_path, allow_loss=True).unreadable == {}
    assert contents(tmp_path) == before


def test_an_old_landing_file_loads_under_todays_schema(tmp_path: Path) -> None:
    path = landing.write(rich("old"), tmp_path / "landing")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["metric_versions", "prosody", "layout"]), path)
    put(tmp_path, rich("new"))
    assert rows(tmp_path, "SELECT call_id, channel_kind FROM calls ORDER BY 1") == [
        ("new", "stereo"),
        ("old", None),
    ]
    assert rows(tmp_path, "SELECT count(*) FROM turns WHERE call_id = 'old'") == [(3,)]


def test_an_empty_landing_folder_gives_an_empty_warehouse(tmp_path: Path) -> None:
    report = put(tmp_path)
    assert (report.loaded, report.unchanged, report.rebuilt) == (0, 0, True)
    assert rows(tmp_path, "SELECT count(*) FROM call_summary") == [(0,)]
