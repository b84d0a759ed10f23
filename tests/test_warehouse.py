"""What is published is what has landed."""

from dataclasses import replace
from pathlib import Path

from support.factories import (
    ANALYZED_AT,
    NO_ROLES,
    STARTED_AT,
    call,
    definitions_of,
    measured,
    without_analysis,
)
from support.warehouses import contents, put, rich, rows
from warmline import landing
from warmline.analysis import rate
from warmline.errors import Status
from warmline.values import SpeakerSource
from warmline.warehouse.publishing import publish
from warmline.warehouse.swap import copy_what_counts
from warmline.warehouse.tables import sql_files


def test_every_table_has_what_the_analysis_has(tmp_path: Path) -> None:
    report = put(tmp_path, rich())
    assert (report.loaded, report.removed, report.unchanged, report.rebuilt) == (1, 0, 0, True)
    assert report.checks == len(sql_files("checks")) > 15
    assert rows(tmp_path, "SELECT party, role, pitch_median_hz FROM parties ORDER BY party") == [
        ("A", "customer", 180.0),
        ("B", "agent", 180.0),
    ]
    assert rows(tmp_path, "SELECT turn_index, role, start_s, level_db FROM turns") == [
        (0, "agent", 0.0, -25.0),
        (1, "customer", 3.2, -25.0),
        (2, "agent", 9.5, -25.0),
    ]
    words = rows(tmp_path, "SELECT turn_index, count(*), min(start_s) FROM words GROUP BY ALL")
    assert sorted(words) == [(0, 8, 0.0), (1, 8, 3.2), (2, 6, 9.5)]
    assert rows(tmp_path, "SELECT holder_role, entrant_role, kind FROM speech_overlaps") == [
        ("customer", "agent", "interruption")
    ]
    assert rows(tmp_path, "SELECT from_role, to_role, offset_s FROM floor_transfers") == [
        ("agent", "customer", 0.2),
        ("customer", "agent", 0.5),
    ]
    assert rows(tmp_path, "SELECT kind, answer, level, answered FROM opportunities") == [
        ("fear_anxiety", "affective", 1, True)
    ]
    assert rows(
        tmp_path,
        "SELECT role, value, numerator, evidence, version, speaker_source FROM metrics "
        "WHERE name = 'interruptions' AND party = 'B'",
    ) == [("agent", 1.0, 1.0, [{"start_s": 5.0, "end_s": 6.0}], 1, "channel")]
    assert rows(tmp_path, "SELECT name, start_s, end_s FROM metric_evidence") == [
        ("interruptions", 5.0, 6.0)
    ]
    assert rows(tmp_path, "SELECT stage, key FROM stage_keys ORDER BY stage") == [
        ("speech", "s1"),
        ("words", "w1"),
    ]
    assert rows(tmp_path, "SELECT model, version FROM models") == [("whisper", "base")]
    empty = [t for t, r in contents(tmp_path).items() if not r]
    assert empty == [
        "agent_index",
        "backchannels",
        "evaluation_answers",
        "evaluation_detail",
        "evaluations",
        "failures",
        "opportunity_voice",
        "outcome_calls",
        "outcomes",
        "review_detail",
        "review_parts",
        "review_summary",
        "reviews",
        "tones",
        "turn_empathy",
        "turn_feelings",
    ]


def test_a_summary_has_a_row_for_every_recording(tmp_path: Path) -> None:
    put(
        tmp_path,
        rich(),
        without_analysis("broken"),
        without_analysis("copy", status=Status.DUPLICATE, code="same_bytes", audio="rich"),
        call("silent-cues", metrics=[rate("answered_rate", None, 0, 0, no_answer="no cue")]),
    )
    summary = rows(
        tmp_path,
        "SELECT call_id, path, status, reason, started_at, agent_id, duration_s, speaker_source, "
        "role_confidence, agent_talk_share, customer_talk_share, dead_air_s, agent_interruptions, "
        "customer_interruptions, agent_latency_median_s, opportunities, answered, answered_rate "
        "FROM call_summary ORDER BY call_id",
    )
    started_at = STARTED_AT.replace(tzinfo=None)
    nothing = (None,) * 9
    assert summary == [
        ("broken", "/calls/broken.wav", "refused", "the file has no bytes", *(None,) * 5, *nothing),
        ("copy", "/calls/copy.wav", "duplicate", "the file has no bytes", *(None,) * 5, *nothing),
        (
            *("rich", "/calls/rich.wav", "analyzed", None, started_at, "7", 60.0, "channel", 1.0),
            *(0.6, 0.4, 2.5, 1.0, 0.0, None, 1.0, 1.0, 1.0),
        ),
        (
            *("silent-cues", "/calls/silent-cues.wav", "analyzed", None, started_at, None, 60.0),
            *("channel", 1.0, None, None, None, None, None, None, None, 0.0, None),
        ),
    ]


def test_without_roles_nothing_is_said_of_an_agent(tmp_path: Path) -> None:
    metrics = [measured("talk_share", "A", 0.4), measured("talk_share", "B", 0.6)]
    put(tmp_path, call("c", roles=NO_ROLES, metrics=metrics, source=SpeakerSource.DIARIZATION))
    assert rows(
        tmp_path, "SELECT agent_talk_share, customer_talk_share, role_confidence FROM call_summary"
    ) == [(None, None, None)]
    assert rows(tmp_path, "SELECT count(value), any_value(role) FROM metrics") == [(2, "unknown")]


def test_times_of_day_are_utc(tmp_path: Path) -> None:
    put(tmp_path, rich())
    kinds = rows(
        tmp_path,
        "SELECT DISTINCT data_type FROM duckdb_columns() "
        "WHERE schema_name = 'main' AND data_type LIKE 'TIME%' AND NOT internal",
    )
    assert kinds == [("TIMESTAMP",)]
    assert rows(tmp_path, "SELECT started_at, analyzed_at FROM calls") == [
        (STARTED_AT.replace(tzinfo=None), ANALYZED_AT.replace(tzinfo=None))
    ]


def test_a_measure_keeps_the_version_it_was_taken_with(tmp_path: Path) -> None:
    old = replace(rich("old"), metric_versions={"dead_air_s": 1})
    new = replace(rich("new"), metric_versions={"dead_air_s": 2})
    for analysis in (old, new):
        landing.write(analysis, tmp_path / "landing")
    definitions = [replace(d, version=1) for d in definitions_of([old])]
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions)
    second = [replace(d, version=2) if d.name == "dead_air_s" else d for d in definitions]
    assert publish(tmp_path / "landing", tmp_path / "w.duckdb", second).rebuilt
    assert rows(
        tmp_path,
        "SELECT call_id, version, is_current FROM metric_detail WHERE name = 'dead_air_s' "
        "ORDER BY call_id",
    ) == [("new", 2, True), ("old", 1, False)]


def test_files_are_stored_as_todays_duckdb_stores_them(sound: Path, tmp_path: Path) -> None:
    """Old statistics of each column would have to be converted whenever the file is opened."""
    copy_what_counts(sound / "w.duckdb", tmp_path / "w.duckdb", None, None)
    stored = (
        "SELECT tags['storage_version'] FROM duckdb_databases() "
        "WHERE database_name = current_database()"
    )
    assert rows(sound, stored) == rows(tmp_path, stored) == [("v1.5.0+",)]
