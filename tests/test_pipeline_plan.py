"""What is pending follows from what is there and what has landed: nothing lost, nothing twice."""

import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from support import factories
from support.plans import cache_keys, land, pending, plan
from warmline import landing
from warmline.errors import Status
from warmline.models.engines import Engines
from warmline.pipeline.analyze import CallInput, analyze_recordings
from warmline.pipeline.plan import Redo, land_duplicates
from warmline.recordings import identify
from warmline.recordings.metadata import read_metadata, read_table
from warmline.settings import Settings
from warmline.values import Recording


@pytest.fixture
def calls(tmp_path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.wav").write_bytes(name.encode() * 1000)
    return folder


@pytest.fixture
def landed(tmp_path) -> Path:
    return tmp_path / "landing"


def test_what_never_landed_is_new(calls, landed):
    assert pending(plan(calls, landed)) == {"a.wav": "new", "b.wav": "new"}


def test_what_landed_today_is_done(calls, landed):
    land(calls / "a.wav", landed)
    land(calls / "b.wav", landed)
    made = plan(calls, landed)
    assert made.is_done
    assert len(made.unchanged) == 2


def test_a_known_file_is_not_read_again(calls, landed, monkeypatch):
    land(calls / "a.wav", landed)
    land(calls / "b.wav", landed)

    def never(path: Path) -> Recording:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("warmline.pipeline.plan.identify", never)
    assert plan(calls, landed).is_done


def test_a_touched_file_with_the_same_bytes_is_done(calls, landed):
    land(calls / "a.wav", landed)
    os.utime(calls / "a.wav", (1, 1))
    assert pending(plan(calls, landed)) == {"b.wav": "new"}


def test_other_bytes_under_the_same_name_are_new(calls, landed):
    land(calls / "a.wav", landed)
    (calls / "a.wav").write_bytes(b"other")
    assert pending(plan(calls, landed))["a.wav"] == "new"


def test_a_changed_setting_names_the_stages_it_touches(calls, landed):
    land(calls / "a.wav", landed)
    made = plan(calls, landed, floor__dead_air_s=3.0)
    assert pending(made)["a.wav"] == "changed: floor, empathy"
    assert made.pending[0].previous is not None


def test_a_refusal_stands_until_what_refused_it_changes(calls, landed):
    land(calls / "a.wav", landed, Status.REFUSED)
    assert "a.wav" not in pending(plan(calls, landed, floor__dead_air_s=3.0))
    assert pending(plan(calls, landed, recordings__min_duration_s=1.0))["a.wav"] == "changed: sound"


def test_a_failed_call_is_tried_again(calls, landed):
    land(calls / "a.wav", landed, Status.FAILED)
    assert pending(plan(calls, landed))["a.wav"] == "failed before"


def test_late_metadata_updates_a_call(calls, landed):
    land(calls / "a.wav", landed)
    (calls / "a.json").write_text('{"agent_id": "E7"}')
    assert pending(plan(calls, landed))["a.wav"] == "metadata changed"


def test_a_late_role_is_scored_without_listening(calls, landed):
    land(calls / "a.wav", landed)
    (calls / "a.json").write_text('{"agent_channel": 1}')
    why = pending(plan(calls, landed))["a.wav"]
    assert why == "changed: turns, prosody, floor, language, empathy"


def test_a_moved_recording_is_followed(calls, landed):
    land(calls / "a.wav", landed)
    (calls / "a.wav").rename(calls / "c.wav")
    assert pending(plan(calls, landed))["c.wav"] == "moved"


def test_a_copy_is_noted_once_and_not_analyzed(calls, landed):
    land(calls / "a.wav", landed)
    land(calls / "b.wav", landed)
    shutil.copy(calls / "a.wav", calls / "copy.wav")
    made = plan(calls, landed)
    assert not made.pending
    assert not made.is_done
    land_duplicates(made, landed, Settings())
    again = plan(calls, landed)
    assert again.is_done
    assert [Path(d.original_path).name for d in again.duplicates] == ["a.wav"]
    assert again.done_before == len(again.unchanged) + 1 == made.done_before + 1, "every file"
    known = landing.known(landed).by_path(str(calls / "copy.wav"))
    assert known is not None and known.status is Status.DUPLICATE


def test_the_copy_takes_over_when_the_original_is_gone(calls, landed):
    land(calls / "a.wav", landed)
    shutil.copy(calls / "a.wav", calls / "copy.wav")
    land_duplicates(plan(calls, landed), landed, Settings())
    (calls / "a.wav").unlink()
    assert pending(plan(calls, landed))["copy.wav"] == "moved"


def test_of_two_new_copies_the_first_is_analyzed(calls, landed):
    shutil.copy(calls / "a.wav", calls / "aa.wav")
    made = plan(calls, landed)
    assert sorted(pending(made)) == ["a.wav", "b.wav"]
    assert [Path(d.recording.path).name for d in made.duplicates] == ["aa.wav"]


def test_an_unreadable_file_is_refused_once(calls, landed):
    (calls / "empty.wav").write_bytes(b"")
    assert pending(plan(calls, landed))["empty.wav"] == "empty_file"
    refused = factories.without_analysis("empty", path=str(calls / "empty.wav"), code="empty_file")
    landing.write(refused, landed)
    assert "empty.wav" not in pending(plan(calls, landed))
    (calls / "empty.wav").write_bytes(b"now it is there")
    assert pending(plan(calls, landed))["empty.wav"] == "new"


def test_what_is_asked_for_is_done_again_for_its_days_only(calls, landed):
    for name, day in (("a", "2026-03-01"), ("b", "2026-03-05")):
        (calls / f"{name}.json").write_text(f'{{"started_at": "{day}T23:59:00Z"}}')
        land(calls / f"{name}.wav", landed)
    redo = Redo(frozenset({"floor"}), since=date(2026, 3, 1), until=date(2026, 3, 4))
    made = plan(calls, landed, redo)
    assert pending(made) == {"a.wav": "asked for"}
    assert made.pending[0].redo == {"floor"}


def test_rows_of_metadata_without_a_recording_are_told(calls, landed, tmp_path):
    csv = tmp_path / "calls.csv"
    csv.write_text("file,agent_id\na.wav,E1\nz.wav,E2\na.wav,E3\n")
    problems = "\n".join(plan(calls, landed, table=read_table(csv)).problems)
    assert "no recording for 'z.wav'" in problems
    assert "line 4: 'a.wav' had a row before" in problems


def test_what_is_wrong_in_a_table_is_told_and_stops_nothing(calls, landed, tmp_path):
    csv = tmp_path / "calls.csv"
    csv.write_text("file,agnet,started_at\na.wav,E1,1/3/2026\nb.wav,E2\n,E3,\n" + ",E4,\n" * 4)
    made = plan(calls, landed, table=read_table(csv))
    assert pending(made) == {"a.wav": "new", "b.wav": "new"}
    assert [p.partition("calls.csv")[2] for p in made.problems] == [
        ", line 2, column 'started_at': '1/3/2026' is not a time known here; write it as "
        "2025-02-19T06:01:22Z (left out)",
        ", line 3: 2 values for 3 columns (left out)",
        ", line 4, column 'file': empty (left out)",
        ": 4 more values or rows are left out, being of no use",
        ", line 1, column 'agnet': no field known here, kept as text; was agent_id meant?",
    ]


def test_many_rows_without_a_recording_are_one_note(calls, landed, tmp_path):
    csv = tmp_path / "calls.csv"
    rows = [f"{i}.wav,E1\n" for i in range(5000)]
    csv.write_text("".join(["file,agent_id\n", *rows, *rows, "a.wav,E3\n"]))
    problems = plan(calls, landed, table=read_table(csv)).problems
    assert [p.partition("calls.csv")[2] for p in problems] == [
        ", line 5002: '0.wav' had a row before; this one is ignored, as are 4999 more rows",
        ": no recording for '0.wav', '1.wav', '2.wav' and 4997 more rows",
    ]


def test_a_damaged_landing_file_is_told_and_its_call_done_again(calls, landed):
    land(calls / "a.wav", landed)
    file = next(landed.rglob("*.parquet"))
    file.write_bytes(b"not parquet")
    made = plan(calls, landed)
    assert pending(made)["a.wav"] == "new"
    assert any(file.name in problem for problem in made.problems)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("file,agent\ncall.wav,any\n", "call.wav"),
        ("file,agent\ncall,any\n", "call"),
        ("call_id,agent\ncall,any\n", "call"),
    ],
)
def test_a_row_that_two_recordings_would_take_is_taken_by_neither(
    tmp_path: Path, landed: Path, table: str, key: str
) -> None:
    folder = tmp_path / "calls"
    for name in ("north", "south"):
        (folder / name).mkdir(parents=True)
        (folder / name / "call.wav").write_bytes(name.encode() * 1000)
    (folder / "other.wav").write_bytes(b"other" * 1000)
    csv = tmp_path / "t.csv"
    csv.write_text(f"{table}other,ann\n")
    planned = plan(folder, landed, table=read_table(csv))
    takes = {
        Path(call.path).relative_to(folder).as_posix(): call.takes_row for call in planned.pending
    }
    assert takes == {"north/call.wav": False, "south/call.wav": False, "other.wav": True}
    (problem,) = planned.problems
    assert f"the row {key!r} is of 2 recordings ({folder}/north/call.wav, " in problem
    (folder / "south" / "call.wav").write_bytes(b"north" * 1000)  # a copy is the same recording
    planned = plan(folder, landed, table=read_table(csv))
    assert not planned.problems
    assert all(call.takes_row for call in planned.pending)


def test_a_call_whose_row_became_another_recordings_too_loses_what_it_took_from_it(
    tmp_path: Path, landed: Path
) -> None:
    folder, csv = tmp_path / "calls", tmp_path / "t.csv"
    (folder / "north").mkdir(parents=True)
    first = folder / "north" / "call.wav"
    first.write_bytes(b"north" * 1000)
    csv.write_text("file,agent\ncall.wav,ann\n")
    table = read_table(csv)
    recording, settings = identify(first), cache_keys().settings.recordings
    metadata = read_metadata(first, settings, table)
    keys = cache_keys().keys(recording.audio_sha256, metadata)
    analysis = factories.call(metadata.call_id, stages=keys)
    landing.write(replace(analysis, recording=recording, metadata=metadata), landed)
    assert plan(folder, landed, table=table).is_done
    (folder / "south").mkdir()
    (folder / "south" / "call.wav").write_bytes(b"south" * 1000)
    again = {
        call.path: (call.why, call.takes_row) for call in plan(folder, landed, table=table).pending
    }
    assert again[str(first)] == ("metadata changed", False)


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (("other.wav,ann", "other,bob"), "ignored 'other': other rows give more of the path"),
        (("x/other.wav,ann", "other.wav,bob"), "ignored 'other.wav': other rows give more"),
        (("other.wav,ann", "./other.wav,bob"), "line 3: 'other.wav' had a row before"),
    ],
)
def test_a_second_row_of_a_recording_is_told(
    tmp_path: Path, landed: Path, rows: tuple[str, ...], note: str
) -> None:
    (tmp_path / "calls" / "x").mkdir(parents=True)
    (tmp_path / "calls" / "x" / "other.wav").write_bytes(b"other" * 1000)
    csv = tmp_path / "t.csv"
    csv.write_text("\n".join(("file,agent", *rows)))
    (problem,) = plan(tmp_path / "calls", landed, table=read_table(csv)).problems
    assert note in problem


def test_who_takes_no_row_has_nothing_from_it(tmp_path: Path) -> None:
    empty, csv = tmp_path / "call.wav", tmp_path / "t.csv"
    empty.touch()
    csv.write_text("file,agent\ncall.wav,ann\n")
    given = [CallInput(empty), CallInput(empty, takes_row=False)]
    keys_of, nobody = cache_keys(), Engines.from_settings(Settings())
    made = sorted(
        analyze_recordings(given, keys_of, nobody, read_table(csv)), key=lambda one: one[0]
    )
    assert [analysis.metadata.agent_id for _, analysis in made] == ["ann", None]


def test_what_an_earlier_table_said_of_a_call_holds_where_todays_has_no_row_of_it(
    calls: Path, landed: Path, tmp_path: Path
) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text(
        "file,call_id,agent,customer,started_at,agent_channel,desk\n"
        "a.wav,c-1,ann,C-1042,2026-11-02 09:14,1,north\n"
    )
    recording, settings = identify(calls / "a.wav"), cache_keys().settings.recordings
    metadata = read_metadata(calls / "a.wav", settings, read_table(csv))
    assert (metadata.call_id, metadata.customer_id) == ("c-1", "C-1042")
    keys = cache_keys().keys(recording.audio_sha256, metadata)
    analysis = factories.call("c-1", stages=keys)
    landing.write(replace(analysis, recording=recording, metadata=metadata), landed)
    today = tmp_path / "today.csv"
    today.write_text("file,agent\nb.wav,bob\n")
    for table in (None, read_table(today)):
        assert pending(plan(calls, landed, table=table)) == {"b.wav": "new"}
        (again,) = [
            call
            for call in plan(calls, landed, table=table, floor__dead_air_s=3.0).pending
            if call.previous
        ]
        assert again.why == "changed: floor, empathy"
        known = read_metadata(calls / "a.wav", settings, table, before=again.metadata_before)
        assert known == metadata


def test_a_row_that_says_less_takes_away_what_an_earlier_one_said(
    calls: Path, landed: Path, tmp_path: Path
) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("file,agent,customer\na.wav,ann,C-1042\n")
    settings = cache_keys().settings.recordings
    before = read_metadata(calls / "a.wav", settings, read_table(csv))
    csv.write_text("file,agent,customer\na.wav,,\n")
    now = read_metadata(calls / "a.wav", settings, read_table(csv), before=before)
    assert (now.agent_id, now.customer_id, now.source) == (None, None, "none")


def test_what_lies_beside_a_recording_goes_before_what_an_earlier_table_said(
    calls: Path, tmp_path: Path
) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("file,agent,customer\na.wav,ann,C-1042\n")
    settings = cache_keys().settings.recordings
    before = read_metadata(calls / "a.wav", settings, read_table(csv))
    (calls / "a.json").write_text('{"agent_id": "E7"}')
    now = read_metadata(calls / "a.wav", settings, None, before=before)
    assert (now.agent_id, now.customer_id) == ("E7", "C-1042")
